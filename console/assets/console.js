// The script of the console: times in the viewer's zone, live pages, copying.
// Without it everything can be read and done; it adds no way to do anything.
'use strict';

(() => {
  const body = document.body;
  const live = document.getElementById('live');
  const banner = document.getElementById('banner');
  document.documentElement.classList.add('scripted');

  // Ages are counted by the console's clock, not by the viewer's.
  let offset = Number(body.dataset.now) - Date.now();
  const now = () => Date.now() + offset;

  // reload loads the page again, but not again and again: another console may
  // answer each time.
  function reload() {
    try {
      if (Date.now() - Number(sessionStorage.getItem('lro-reloaded')) < 10000) return;
      sessionStorage.setItem('lro-reloaded', String(Date.now()));
    } catch {
      return;
    }
    location.reload();
  }

  // ---- Times -------------------------------------------------------------

  const two = (n) => String(n).padStart(2, '0');
  const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
  const forms = {
    clock: new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }),
    day: new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }),
    full: new Intl.DateTimeFormat(undefined, {
      year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
    }),
    exact: new Intl.DateTimeFormat(undefined, {
      year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
      fractionalSecondDigits: 3, timeZoneName: 'short',
    }),
  };

  // span and ago follow the rules of format.go.
  function span(ms) {
    const s = Math.max(0, ms) / 1000;
    if (s < 1) return Math.floor(s * 1000) + ' ms';
    if (s < 10) return (Math.floor(s * 10) / 10).toFixed(1) + ' s';
    if (s < 60) return Math.floor(s) + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min ' + two(Math.floor(s) % 60) + ' s';
    const min = Math.floor(s / 60);
    if (min < 1440) return Math.floor(min / 60) + ' h ' + two(min % 60) + ' min';
    const h = Math.floor(min / 60);
    return thousands(Math.floor(h / 24)) + ' d ' + (h % 24) + ' h';
  }

  function ago(ms) {
    const s = Math.floor(ms / 1000);
    if (s < 1) return 'now';
    if (s < 60) return s + ' s ago';
    if (s < 3600) return Math.floor(s / 60) + ' min ago';
    if (s < 48 * 3600) return Math.floor(s / 3600) + ' h ago';
    return thousands(Math.floor(s / 86400)) + ' d ago';
  }

  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  // localize writes the times under root for the viewer.
  function localize(root) {
    for (const e of root.querySelectorAll('time[datetime]')) {
      const at = new Date(e.dateTime);
      if (isNaN(at)) continue;
      e.title = e.dateTime + '\n' + forms.exact.format(at);
      if ('time' in e.dataset) set(e, forms.full.format(at));
    }
    for (const e of root.querySelectorAll('[data-form]')) {
      const at = new Date(e.dataset.time);
      if (!isNaN(at)) set(e, forms[e.dataset.form].format(at) + (e.dataset.after || ''));
    }
    tick(root);
  }

  // tick counts ages and durations on.
  function tick(root) {
    for (const e of root.querySelectorAll('time[data-ago]')) set(e, ago(now() - new Date(e.dateTime)));
    for (const e of root.querySelectorAll('[data-since]')) set(e, span(now() - new Date(e.dataset.since)));
  }

  // ---- Changing a page in place --------------------------------------------

  // What the viewer or this script has done to an element stays.
  const kept = new Set(['open', 'hidden']);

  // morph makes from look like to, and leaves alone what is equal, so that
  // focus, selection and scrolling stay where they are.
  function morph(from, to) {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) {
      from.replaceWith(to);
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.isEqualNode(to)) return;
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !kept.has(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !kept.has(name)) from.setAttribute(name, value);
    }
    const old = [...from.childNodes];
    const fresh = [...to.childNodes];
    fresh.forEach((node, i) => (i < old.length ? morph(old[i], node) : from.append(node)));
    old.slice(fresh.length).forEach((node) => node.remove());
  }

  function replaceParts(parts) {
    for (const [id, html] of Object.entries(parts)) {
      const old = document.getElementById(id);
      if (!old) continue;
      const template = document.createElement('template');
      template.innerHTML = html; // made by the console's templates, which escape
      const fresh = template.content.firstElementChild;
      if (!fresh) continue;
      localize(template.content);
      morph(old, fresh);
    }
    if ('tabs' in parts) {
      const total = document.querySelector('[data-total]');
      const counted = document.querySelector('#tabs [aria-current] .n');
      if (total && counted) set(total, counted.textContent);
    }
    if ('head' in parts) refreshRaw();
  }

  // ---- The live stream -------------------------------------------------------

  // A URL has to stay short enough for every proxy on the way.
  const longestURL = 7000;
  let source = null;
  let retry = 0;
  let failures = 0;
  let lostAt = 0;
  let mode = 'Live';

  function say(state, text) {
    live.dataset.state = state;
    set(live, text);
  }

  function warn(text) {
    set(banner, text);
    banner.hidden = !text;
  }

  function eventsURL() {
    let url = body.dataset.events;
    for (const row of document.querySelectorAll('#rows tr[data-name]')) {
      const more = '&name=' + encodeURIComponent(row.dataset.name);
      if (url.length + more.length > longestURL) break;
      url += more;
    }
    return url;
  }

  function open() {
    if (!body.dataset.events || source || document.hidden) return;
    clearTimeout(retry);
    source = new EventSource(eventsURL());
    source.addEventListener('hello', (e) => {
      const hello = JSON.parse(e.data);
      if (hello.version !== body.dataset.version) {
        reload(); // the console is another one now
      }
      offset = hello.now - Date.now();
      failures = 0;
      lostAt = 0;
      warn('');
      mode = hello.every ? 'Every ' + hello.every : 'Live';
      say('live', mode);
    });
    source.addEventListener('parts', (e) => replaceParts(JSON.parse(e.data)));
    source.addEventListener('fresh', (e) => showFresh(JSON.parse(e.data)));
    source.addEventListener('trouble', (e) => {
      warn(JSON.parse(e.data).text + ' What you see may be out of date; trying again.');
      say('lost', 'Out of date');
    });
    source.addEventListener('calm', () => {
      warn('');
      say('live', mode);
    });
    // EventSource gives up for good on some errors, so it is not left to it.
    source.onerror = lost;
  }

  function close() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  function lost() {
    close();
    if (document.hidden) return;
    failures++;
    lostAt = lostAt || Date.now();
    // The first try is for streams that end because they are old.
    if (failures > 1) tellLost();
    const wait = failures === 1 ? 200 : Math.min(1000 * 2 ** (failures - 2), 10000);
    retry = setTimeout(open, wait + Math.random() * 200);
  }

  function tellLost() {
    warn('The connection to the console is lost. What you see is from ' + ago(Date.now() - lostAt) + '; trying again.');
    say('lost', 'Connection lost');
  }

  function showFresh({ count, more }) {
    const place = document.getElementById('fresh');
    if (!place) return;
    if (count === 0) {
      place.replaceChildren();
      return;
    }
    if (document.querySelector('[data-empty]') && document.activeElement?.id !== 'filter') reload();
    const button = place.querySelector('button') || document.createElement('button');
    button.type = 'button';
    set(button, (more ? 'More than ' : '') + count + (count === 1 ? ' newer operation' : ' newer operations') + ': show');
    button.onclick = () => location.reload();
    if (!button.isConnected) place.append(button);
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      close();
      if (body.dataset.events) say('paused', 'Paused');
      return;
    }
    failures = 0;
    open();
  });
  addEventListener('pagehide', close);
  addEventListener('pageshow', open);
  addEventListener('online', () => { if (!source) open(); });

  setInterval(() => {
    if (document.hidden) return;
    tick(document);
    if (failures > 1) tellLost();
  }, 1000);

  // A page that is an error is tried again until it is not.
  if ('retry' in body.dataset) {
    let tries = 0;
    const again = async () => {
      try {
        const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
        if (answer.status < 500) {
          location.reload();
          return;
        }
      } catch {
        // Still away.
      }
      setTimeout(again, Math.min(1000 * 2 ** tries++, 15000));
    };
    setTimeout(again, 1000);
  }

  // ---- The raw JSON ------------------------------------------------------------

  const raw = document.getElementById('raw');
  let rawTimer = 0;

  // refreshRaw reads the raw JSON again, where it is shown whole.
  function refreshRaw() {
    if (!raw || !raw.open || rawTimer || document.getElementById('raw-rest')) return;
    rawTimer = setTimeout(async () => {
      rawTimer = 0;
      try {
        const answer = await fetch(raw.dataset.url);
        if (answer.ok) set(document.getElementById('raw-text'), (await answer.text()).trimEnd());
      } catch {
        // The banner tells.
      }
    }, 1000);
  }
  raw?.addEventListener('toggle', refreshRaw);

  // ---- Copying -------------------------------------------------------------------

  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const area = document.createElement('textarea'); // plain http has no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw new Error('copying is not allowed');
  }

  document.addEventListener('click', async (e) => {
    const button = e.target.closest?.('[data-copy], [data-copy-url]');
    if (!button) return;
    const label = button.textContent;
    let said = 'Copied';
    try {
      const { copy: id, copyUrl: url } = button.dataset;
      await copy(id ? document.getElementById(id).textContent : await (await fetch(url)).text());
    } catch {
      said = 'Not copied';
    }
    button.focus();
    set(button, said);
    setTimeout(() => set(button, label), 1500);
  });

  // ---- Moving about ---------------------------------------------------------------

  // The list gives only the way on; the way back is remembered per tab.
  const key = (url) => 'lro-before:' + new URL(url, location.href).href;
  const next = document.getElementById('next');
  const previous = document.getElementById('previous');
  try {
    if (next) sessionStorage.setItem(key(next.href), location.href);
    const before = sessionStorage.getItem(key(location.href));
    if (previous && before) {
      previous.href = before;
      previous.rel = 'prev';
      previous.hidden = false;
    }
    if (document.getElementById('rows')) sessionStorage.setItem('lro-list', location.href);
    const list = sessionStorage.getItem('lro-list');
    const back = document.getElementById('back');
    if (back && list) back.href = list;
  } catch {
    // No storage, no way back but the browser's.
  }

  document.addEventListener('keydown', (e) => {
    if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || e.target.matches('input, textarea, select')) return;
    const filter = document.getElementById('filter');
    if (!filter) return;
    e.preventDefault();
    filter.focus();
    filter.select();
  });

  localize(document);
  open();
})();
