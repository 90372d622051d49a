/* Copyright (C) the IMS portal authors */

/*
 * The two sounds a phone makes itself: ringing, and the tone a caller hears
 * while it rings there (ITU-T E.180: 425 Hz, one second in five).
 */


const SOUNDS = {
    ring: { tones: [520, 660], on: 0.9, every: 3, volume: 0.12 },
    ringback: { tones: [425], on: 1, every: 5, volume: 0.05 },
};


export class Ring {
    #context = null;
    #timer = null;
    #playing = null;

    /**
     * @param {'ring'|'ringback'|null} name  null: silence
     */
    play(name) {
        if (name === this.#playing) {
            return;
        }

        this.#playing = name;
        clearInterval(this.#timer);
        this.#context?.close();
        this.#context = null;

        if (name === null || !globalThis.AudioContext) {
            return;
        }

        const sound = SOUNDS[name];

        this.#context = new AudioContext();
        this.#burst(sound);
        this.#timer = setInterval(() => this.#burst(sound),
                                  sound.every * 1000);
    }

    #burst({ tones, on, volume }) {
        const context = this.#context;
        const gain = context.createGain();
        const now = context.currentTime;

        gain.connect(context.destination);
        gain.gain.setValueAtTime(0, now);
        gain.gain.linearRampToValueAtTime(volume, now + 0.03);
        gain.gain.setValueAtTime(volume, now + on - 0.05);
        gain.gain.linearRampToValueAtTime(0, now + on);

        for (const frequency of tones) {
            const tone = context.createOscillator();

            tone.frequency.value = frequency;
            tone.connect(gain);
            tone.start(now);
            tone.stop(now + on);
        }
    }
}
