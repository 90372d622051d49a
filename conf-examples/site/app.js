/* Copyright (C) the IMS portal authors */

/*
 * The demonstration site: log in, show the phone, log out.  All it takes to
 * put the phone in a page is showPhone().
 */

'use strict';

const $ = (id) => document.getElementById(id);


function showPhone() {
    const phone = document.createElement('ims-phone');

    phone.setAttribute('session', '/ims/session');
    phone.setAttribute('renew', '/renew');

    /* For tests: ?audio=raw leaves tones as they are. */
    if (new URLSearchParams(location.search).get('audio') === 'raw') {
        phone.setAttribute('audio-processing', 'off');
    }

    phone.addEventListener('ims-token-expired', (e) =>
        showLogin(e.detail.text));

    $('phone').replaceChildren(phone);
}


function showStaff(user) {
    $('login-page').hidden = true;
    $('staff-page').hidden = false;
    $('logout').hidden = false;
    $('user').textContent = user;
    $('name').textContent = user;
    showPhone();
}


function showLogin(text) {
    $('phone').replaceChildren();
    $('staff-page').hidden = true;
    $('logout').hidden = true;
    $('login-page').hidden = false;
    $('login-error').textContent = text;
    $('login-error').hidden = text === '';
    $('login').elements.user.focus();
}


async function whoAmI() {
    const response = await fetch('/whoami', { cache: 'no-store' });

    return response.ok ? (await response.json()).user : null;
}


async function logIn(event) {
    event.preventDefault();

    const form = event.target;
    const response = await fetch('/login', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ user: form.elements.user.value,
                               password: form.elements.password.value }),
    }).catch(() => null);

    form.elements.password.value = '';

    if (response?.ok) {
        start();

    } else {
        showLogin(response?.status === 401
                  ? 'User and password do not match.'
                  : 'The login does not answer. Please try again.');
    }
}


async function logOut(event) {
    event.preventDefault();

    await document.querySelector('ims-phone')?.portal?.logout();
    await fetch('/logout', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{}',
    }).catch(() => null);

    showLogin('');
}


async function start() {
    const user = await whoAmI().catch(() => null);

    if (user) {
        showStaff(user);

    } else {
        showLogin('');
    }
}


$('login').addEventListener('submit', logIn);
$('logout').addEventListener('submit', logOut);
start();
