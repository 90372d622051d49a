/* Copyright (C) the IMS portal authors */

/*
 * What <ims-phone> looks like: its markup and its style.  The style is a
 * constructed sheet, which a strict Content-Security-Policy lets pass.
 */


const KEYS = [
    ['1', ''], ['2', 'ABC'], ['3', 'DEF'],
    ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
    ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'],
    ['*', ''], ['0', '+'], ['#', ''],
];

const KEY_NAMES = { '*': 'star', '#': 'hash' };


function icon(path) {
    return `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/>`
           + '</svg>';
}


const ICONS = {
    call: icon('M6.6 10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11 11 '
               + '0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4'
               + 'a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 '
               + '1 0 0 1-.25 1z'),
    hangup: icon('M12 9c-1.6 0-3.15.25-4.6.72v3.1a1 1 0 0 1-.56.9 11 11 0 0 '
                 + '0-2.66 1.85 1 1 0 0 1-1.4 0L.3 13.1a1 1 0 0 1 0-1.42A16.9'
                 + ' 16.9 0 0 1 12 7c4.55 0 8.67 1.79 11.7 4.68a1 1 0 0 1 0 '
                 + '1.42l-2.48 2.47a1 1 0 0 1-1.4 0 11 11 0 0 0-2.66-1.85 1 1'
                 + ' 0 0 1-.56-.9v-3.1A15 15 0 0 0 12 9z'),
    mute: icon('M12 14a3 3 0 0 0 3-3V5a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zm5-3a5 5'
               + ' 0 0 1-10 0H5a7 7 0 0 0 6 6.9V21h2v-3.1A7 7 0 0 0 19 11z'),
    hold: icon('M6 5h4v14H6zm8 0h4v14h-4z'),
    send: icon('M2 21 23 12 2 3v7l15 2-15 2z'),
};


function keypad() {
    return KEYS.map(([key, letters]) => {
        const id = `key-${KEY_NAMES[key] ?? key}`;

        return `<button type="button" id="${id}" data-testid="${id}" `
               + `part="key" class="key" data-key="${key}" `
               + `aria-label="${KEY_NAMES[key] ?? key}">${key}`
               + `<small aria-hidden="true">${letters}</small></button>`;
    }).join('');
}


/** An element with the id as its test id and part as well. */
function tagged(tag, id, attributes, content = '') {
    return `<${tag} id="${id}" data-testid="${id}" part="${id}" `
           + `${attributes}>${content}</${tag}>`;
}


export const MARKUP = `
<div class="card">
  <header>
    <span class="dot" aria-hidden="true"></span>
    ${tagged('span', 'identity', '')}
    ${tagged('span', 'state', 'role="status"', 'offline')}
  </header>

  ${tagged('p', 'error', 'role="alert" hidden')}

  <div class="columns">
    <section class="phone" aria-label="Phone">
      <div class="callbox" tabindex="-1" role="group"
           aria-label="Call" hidden>
        <div class="who">
          ${tagged('span', 'remote', '')}
          ${tagged('span', 'call-state', 'role="status"')}
          ${tagged('span', 'timer', 'role="timer"')}
        </div>
        <div class="row incoming" hidden>
          ${tagged('button', 'answer', 'type="button" class="go"',
                   ICONS.call + 'Answer')}
          ${tagged('button', 'reject', 'type="button" class="stop"',
                   ICONS.hangup + 'Decline')}
        </div>
        <div class="row ongoing" hidden>
          ${tagged('button', 'mute', 'type="button" aria-pressed="false"',
                   ICONS.mute + 'Mute')}
          ${tagged('button', 'hold', 'type="button" aria-pressed="false"',
                   ICONS.hold + 'Hold')}
          ${tagged('button', 'hangup', 'type="button" class="stop"',
                   ICONS.hangup + 'Hang up')}
        </div>
      </div>

      <form class="row dial">
        <input id="number" data-testid="number" part="number" type="text"
               inputmode="tel" autocomplete="off" spellcheck="false"
               placeholder="Number or name" aria-label="Number or name">
        ${tagged('button', 'call', 'type="submit" class="go"',
                 ICONS.call + 'Call')}
      </form>

      <div class="keys" part="keypad" role="group" aria-label="Keypad">
        ${keypad()}
      </div>
    </section>

    <section class="chat" aria-label="Messages">
      ${tagged('ol', 'messages', 'aria-live="polite" tabindex="0"')}
      <form class="compose">
        <input id="msg-to" data-testid="msg-to" part="msg-to" type="text"
               autocomplete="off" spellcheck="false" placeholder="To"
               aria-label="To">
        <div class="row">
          <input id="msg-text" data-testid="msg-text" part="msg-text"
                 type="text" autocomplete="off" maxlength="1000"
                 placeholder="Message" aria-label="Message">
          ${tagged('button', 'msg-send',
                   'type="submit" class="go" aria-label="Send"', ICONS.send)}
        </div>
      </form>
    </section>
  </div>

  <audio id="audio" data-testid="audio" autoplay></audio>
</div>`;


export const STYLE = `
:host {
    --ims-accent: #2459d3;
    --ims-go: #17794a;
    --ims-stop: #c0312b;
    --ims-surface: #ffffff;
    --ims-soft: #f1f4f9;
    --ims-line: #d5dce8;
    --ims-text: #16202e;
    --ims-muted: #59677c;
    color-scheme: light dark;
    container-type: inline-size;
    display: block;
    font: 1rem/1.4 system-ui, sans-serif;
    max-width: 46rem;
}

@media (prefers-color-scheme: dark) {
    :host {
        --ims-accent: #4a7cf0;
        --ims-go: #1f8a57;
        --ims-stop: #cf463f;
        --ims-surface: #18202c;
        --ims-soft: #222d3d;
        --ims-line: #36445a;
        --ims-text: #ecf1f8;
        --ims-muted: #a3b1c6;
    }
}

:host([hidden]), [hidden] { display: none !important; }

* { box-sizing: border-box; }

.card {
    background: var(--ims-surface);
    border: 1px solid var(--ims-line);
    border-radius: 1rem;
    box-shadow: 0 8px 28px rgb(15 30 60 / 12%);
    color: var(--ims-text);
    overflow: hidden;
}

header {
    align-items: center;
    border-bottom: 1px solid var(--ims-line);
    display: flex;
    gap: .6rem;
    padding: .9rem 1.1rem;
}

#identity {
    font-weight: 600;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
}

#state { color: var(--ims-muted); font-size: .875rem; margin-left: auto;
         white-space: nowrap; }

.dot {
    background: var(--ims-muted);
    border-radius: 50%;
    flex: none;
    height: .7rem;
    width: .7rem;
}

.dot.registered { background: #2bab6c; }
.dot.connecting { background: #d99a1c; }
.dot.refused, .dot.token-expired { background: var(--ims-stop); }

#error {
    background: color-mix(in srgb, var(--ims-stop) 14%, var(--ims-surface));
    border-left: 4px solid var(--ims-stop);
    font-size: .9rem;
    margin: .8rem 1.1rem 0;
    padding: .55rem .8rem;
    border-radius: .4rem;
}

.columns { display: grid; }

section { display: flex; flex-direction: column; gap: .9rem;
          min-width: 0; padding: 1.1rem; }

.chat { border-top: 1px solid var(--ims-line); }

@container (min-width: 40rem) {
    .columns { grid-template-columns: 1fr 1fr; }
    .chat { border-left: 1px solid var(--ims-line); border-top: 0; }
}

.row { display: flex; gap: .6rem; }
.row > input { flex: 1; min-width: 0; }
.row > button { flex: none; }
.incoming > button, .ongoing > button { flex: 1 1 0; }
.ongoing > button { flex-direction: column; font-size: .85rem; gap: .15rem;
                    min-height: 3.4rem; padding: .3rem; }

.callbox {
    background: var(--ims-soft);
    border-radius: .8rem;
    display: grid;
    gap: .9rem;
    padding: .9rem;
}

.who {
    align-items: baseline;
    display: grid;
    gap: .1rem .8rem;
    grid-template-columns: 1fr auto;
}

#remote { font-size: 1.2rem; font-weight: 600; grid-column: 1 / 3;
          overflow-wrap: anywhere; }
#call-state { color: var(--ims-muted); }
#timer { font-variant-numeric: tabular-nums; }

button, input {
    border: 1px solid var(--ims-line);
    border-radius: .65rem;
    color: inherit;
    font: inherit;
    min-height: 2.75rem;
}

input { background: var(--ims-surface); padding: .3rem .8rem; width: 100%; }

#number { font-size: 1.15rem; font-variant-numeric: tabular-nums; }

button {
    align-items: center;
    background: var(--ims-surface);
    cursor: pointer;
    display: inline-flex;
    font-weight: 600;
    gap: .4rem;
    justify-content: center;
    padding: .3rem .8rem;
    transition: background .12s, filter .12s;
}

button:hover:not(:disabled) { filter: brightness(.95); }
button:active:not(:disabled) { filter: brightness(.88); }
button:disabled { cursor: default; opacity: .5; }
button[aria-pressed="true"] { background: var(--ims-accent); color: #fff; }

:focus-visible { outline: 3px solid var(--ims-accent); outline-offset: 1px; }

.go { background: var(--ims-go); border-color: transparent; color: #fff; }
.stop { background: var(--ims-stop); border-color: transparent; color: #fff; }

svg { fill: currentcolor; flex: none; height: 1.15rem; width: 1.15rem; }

.keys { display: grid; gap: .5rem; grid-template-columns: repeat(3, 1fr); }

.key {
    background: var(--ims-soft);
    border-color: transparent;
    flex-direction: column;
    font-size: 1.25rem;
    gap: 0;
    line-height: 1.1;
    min-height: 3.2rem;
}

.key small { color: var(--ims-muted); font-size: .62rem; font-weight: 500;
             letter-spacing: .12em; min-height: .8rem; }

#messages {
    flex: 1;
    display: flex;
    flex-direction: column;
    gap: .5rem;
    list-style: none;
    margin: 0;
    max-height: 24rem;
    min-height: 7rem;
    overflow-y: auto;
    padding: 0;
}

#messages:empty::before {
    color: var(--ims-muted);
    content: "No messages yet";
    margin: auto;
}

#messages li {
    background: var(--ims-soft);
    border-radius: .8rem .8rem .8rem .2rem;
    max-width: 88%;
    overflow-wrap: anywhere;
    padding: .45rem .8rem;
    width: fit-content;
}

#messages li.out {
    align-self: flex-end;
    background: color-mix(in srgb, var(--ims-accent) 20%, var(--ims-surface));
    border-radius: .8rem .8rem .2rem .8rem;
}

#messages li.failed { outline: 2px solid var(--ims-stop); }
#messages small { color: var(--ims-muted); display: block;
                  font-size: .75rem; }

.compose { display: grid; gap: .6rem; }

@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
