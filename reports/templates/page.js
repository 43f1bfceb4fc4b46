'use strict';
/* What needs a script: another reference, sorting, filters, copying, the theme, and the address that
   keeps all of it. The page is whole without; what is drawn here replaces what was drawn before, by
   the same rules (stats.py, charts.py, sections/). */
(() => {
const D = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const root = document.documentElement;

/* ---- numbers: one 16-bit log ratio a process and row, unpacked where they are asked for */
const NONE = -32768;
function unpacked(cell) {
  if (!cell.v) {
    const text = atob(cell.d), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    cell.v = new Int16Array(bytes.buffer);
  }
  return cell.v;
}
/* The interpolated sign-test interval: depth and weight by number of values (see stats.py). */
const RANKS = new Map();
function rank(n) {
  if (RANKS.has(n)) return RANKS.get(n);
  const below = []; let sum = 0, term = 2 ** -n;
  for (let k = 0; k <= n; k++) { sum += term; below.push(sum); term *= (n - k) / (k + 1); }
  const cover = d => 1 - 2 * below[d - 1];
  let depth = 0;
  while (depth < Math.floor(n / 2) && cover(depth + 1) >= 0.95) depth++;
  let found = null;
  if (depth) {
    const outer = cover(depth), inner = 2 * (depth + 1) <= n + 1 ? cover(depth + 1) : 0;
    const share = (outer - 0.95) / (outer - inner);
    found = [depth, (n - depth) * share / (depth + (n - 2 * depth) * share)];
  }
  RANKS.set(n, found);
  return found;
}
function estimate(logs) {
  const n = logs.length;
  if (!n) return null;
  logs.sort();
  const mid = Math.exp((logs[(n - 1) >> 1] + logs[n >> 1]) / 2), place = rank(n);
  if (!place) return { mid, lo: null, hi: null };
  const [depth, weight] = place, inner = Math.min(depth, n - 1);
  return { mid, lo: Math.exp((1 - weight) * logs[depth - 1] + weight * logs[inner]),
    hi: Math.exp((1 - weight) * logs[n - depth] + weight * logs[n - 1 - inner]) };
}
const SAME = { mid: 1, lo: 1, hi: 1 };
function timeRatio(cell, row, ref) {
  const v = unpacked(cell), logs = new Float64Array(cell.n);
  let n = 0;
  for (let p = 0; p < cell.n; p++) {
    const a = v[row * cell.n + p], b = v[ref * cell.n + p];
    if (a !== NONE && b !== NONE) logs[n++] = (a - b) / D.scale;
  }
  return row === ref && n ? SAME : estimate(logs.subarray(0, n));
}
function memoryRatio(cell, row, ref) {
  const a = cell.m[row], b = cell.m[ref];
  if (!a || !b) return null;
  if (row === ref) return SAME;
  const whole = a.length === 3 && b.length === 3;
  return { mid: a[0] / b[0], lo: whole ? a[1] / b[2] : null, hi: whole ? a[2] / b[1] : null };
}
const METRICS = [['time', 'time', timeRatio, 0], ['memory', 'peak memory', memoryRatio, 1]];
/* One setting's ratios by row, computed once. */
const known = new Map();
function ratios(metric, ref, i) {
  const key = metric + ref + '/' + i;
  let found = known.get(key);
  if (!found) {
    const of = METRICS.find(m => m[0] === metric)[2];
    known.set(key, found = D.rows.map((_, row) => of(D.cells[i], row, ref)));
  }
  return found;
}
function figure(x) {
  return x >= 99.95 ? x.toFixed(0) : x >= 9.995 ? x.toFixed(1) : x >= 0.9995 ? x.toFixed(2) : x.toFixed(3);
}
function mean(metric, ref, cols, row) {
  let sum = 0, count = 0;
  for (const i of cols) {
    const r = ratios(metric, ref, i)[row];
    if (r && r.mid > 0) { sum += Math.log(r.mid); count++; }
  }
  return count ? [Math.exp(sum / count), count] : [null, 0];
}
function leadersOf(column) {
  const bound = column.map((r, row) => [r, row])
    .filter(([r, row]) => r && r.lo !== null && D.rows[row][3])
    .sort((a, b) => a[0].mid - b[0].mid);
  return new Set(bound.filter(([r]) => r.lo <= bound[0][0].hi).map(([, row]) => row));
}

/* ---- state, kept in the address */
const rowOf = name => D.rows.findIndex(row => row[0] === name);
const GROUPS = [...new Set(D.rows.map(row => row[1]))];
const FIRST = {
  ref: Math.max(0, rowOf(D.reference)), metric: 'time', sort: '', down: false, find: '', hidden: new Set(),
  works: new Set(), theme: '', at: '',
};
const S = { ...FIRST };
function read() {
  const text = location.hash.slice(1), q = new URLSearchParams(text.includes('=') ? text : '');
  S.ref = Math.max(0, rowOf(q.get('ref') ?? D.rows[FIRST.ref][0]));
  S.metric = METRICS.some(m => m[0] === q.get('metric')) ? q.get('metric') : 'time';
  const sort = q.get('sort') || '';
  S.down = sort.startsWith('-');
  S.sort = sort.replace(/^-/, '');
  S.find = q.get('find') || '';
  S.hidden = new Set((q.get('hide') || '').split(',').filter(g => GROUPS.includes(g)));
  S.works = new Set((q.get('works') || '').split(',').filter(w => D.works.includes(w)));
  S.theme = ['light', 'dark'].includes(q.get('theme')) ? q.get('theme') : '';
  S.at = text.includes('=') ? q.get('at') || '' : text;
}
function address() {
  const q = new URLSearchParams();
  if (S.ref !== FIRST.ref) q.set('ref', D.rows[S.ref][0]);
  if (S.metric !== 'time') q.set('metric', S.metric);
  if (S.sort) q.set('sort', (S.down ? '-' : '') + S.sort);
  if (S.find) q.set('find', S.find);
  if (S.hidden.size) q.set('hide', [...S.hidden].join());
  if (S.works.size) q.set('works', [...S.works].join());
  if (S.theme) q.set('theme', S.theme);
  if (S.at) q.set('at', S.at);
  const text = q.toString().replaceAll('%2C', ',');
  return text ? '#' + text : '#';
}
function write() {
  if (location.hash !== address() && '#' + location.hash !== address())
    history.replaceState(null, '', address());
}

/* ---- pieces of markup */
const esc = text =>
  text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const name = row => D.rows[row][0];
const use = (row, x, y) => `<use href="#${D.rows[row][2]}" x="${x}" y="${y}"/>`;
const mark = row => `<span class="m"><svg aria-hidden="true" class="${css(row)}">${use(row, 7, 6)}</svg>`
  + `<a href="#a-${name(row)}">${name(row)}</a></span>`;
/* " [0.11, 0.13]", or nothing. */
const interval = r => r.lo !== null ? ` [${figure(r.lo)}, ${figure(r.hi)}]` : '';
const classes = D.rows.map(row => document.querySelector('#a-' + row[0]).classList[1]);
const css = row => classes[row];
const spoken = work => esc(work.replaceAll('_', ' '));
const shown = row => !S.hidden.has(D.rows[row][1]) && name(row).includes(S.find.trim().toLowerCase());
const columns = () =>
  D.cells.map((_, i) => i).filter(i => !S.works.size || S.works.has(D.works[D.cells[i].w]));

/* ---- the table */
function shade(x) {
  const level = [0.07, 0.25, 0.55, 1].filter(limit => Math.abs(Math.log2(x)) >= limit).length;
  return level ? (x < 1 ? 'm' : 'p') + level : '';
}
/* What a cell shows and how: "class|text". */
function gridCell(i, row, found, best) {
  const status = D.cells[i].s[S.metric === 'time' ? 0 : 1][row], r = found[row];
  if (status === 'f') return 'k|failed';
  if (!r) return 'k|' + (status === 'n' ? '—' : '·');
  const bold = best.has(row) ? 'b ' : '';
  if (row === S.ref) return bold.trim() + '|1';
  const look = r.lo !== null && r.lo <= 1 && r.hi >= 1 ? 'n' : shade(r.mid);
  return (bold + look + (r.lo === null ? ' q' : '')).trim() + '|' + r.mid.toFixed(r.mid < 99.5 ? 2 : 0);
}
function order(cols) {
  const rows = D.rows.map((_, row) => row).filter(shown);
  if (!S.sort) return rows;
  const value = S.sort === 'name' ? name : S.sort === 'mean' ? row => mean(S.metric, S.ref, cols, row)[0]
    : D.cells[+S.sort] ? row => ratios(S.metric, S.ref, +S.sort)[row]?.mid ?? null : () => null;
  const sign = S.down ? -1 : 1;
  const compare = ([a, x], [b, y]) => {
    if (a === null || b === null) return a === b ? x - y : a === null ? 1 : -1;
    return a < b ? -sign : a > b ? sign : x - y;
  };
  return rows.map(row => [value(row), row]).sort(compare).map(([, row]) => row);
}
function params(label) { return esc(label || '·').replace(/=/g, '=<wbr>'); }
/* The table's elements are made once, by the page; from then on they are moved and their text changes. */
const GRID = $('grid'), BODY = GRID.tBodies[0];
const trs = [...BODY.rows], tds = trs.map(tr => [...tr.cells].slice(2)), means = trs.map(tr => tr.cells[1]);
const written = D.cells.map(() => FIRST.metric + FIRST.ref);
function drawHead(cols) {
  const sorter = (key, label, more = '') =>
    `<th scope=col${more}><button type=button data-sort="${key}">${label}</button>`;
  const groups = [];
  for (const i of cols) {
    const last = groups.at(-1);
    if (last && last[0] === D.cells[i].w) last[1]++; else groups.push([D.cells[i].w, 1]);
  }
  const group = ([w, n]) =>
    `<th scope=colgroup colspan=${n}><a href="#w-${D.works[w]}">${spoken(D.works[w])}</a>`;
  GRID.tHead.innerHTML = '<tr>' + sorter('name', 'Allocator', ' rowspan=2')
    + sorter('mean', 'mean (of)', ' rowspan=2') + groups.map(group).join('')
    + '<tr>' + cols.map(i => sorter(String(i), params(D.cells[i].p))).join('');
  GRID.style.setProperty('--cols', cols.length);
}
function markSort() {
  GRID.tHead.querySelector('[aria-sort]')?.removeAttribute('aria-sort');
  const head = S.sort && GRID.tHead.querySelector(`[data-sort="${CSS.escape(S.sort)}"]`);
  if (head) head.parentNode.setAttribute('aria-sort', S.down ? 'descending' : 'ascending');
}
function writeColumn(i) {
  const now = S.metric + S.ref;
  if (written[i] === now) return;
  written[i] = now;
  const found = ratios(S.metric, S.ref, i), best = leadersOf(found);
  for (let row = 0; row < trs.length; row++) {
    const td = tds[row][i], [look, text] = gridCell(i, row, found, best).split('|'), inside = td.firstChild;
    if (td.className !== look) td.className = look;
    if (td.title) td.removeAttribute('title');
    if (text === 'failed') td.innerHTML = '<a href="#failures">failed</a>';
    else if (inside.nodeType === 3) {
      if (inside.data !== text) inside.data = text;
    } else td.textContent = text;
  }
}
function writeMeans(cols) {
  trs.forEach((_, row) => {
    const [value, count] = mean(S.metric, S.ref, cols, row);
    const text = `${value ? figure(value) : '—'} (${count})`;
    if (means[row].textContent !== text) means[row].textContent = text;
  });
}
function writeCaption() {
  const time = S.metric === 'time';
  const [what, less] = time ? ['Time', 'faster'] : ['Peak resident memory above the start', 'less'];
  GRID.caption.innerHTML = `${what}, ratio to <span class=ref>${name(S.ref)}</span>; below 1 is ${less}`
    + '<span class=js>. Click a column to sort, ÷ to compare with another.</span>';
}
function drawGrid(changed) {
  const cols = columns();
  if (changed.works) {
    drawHead(cols);
    if (changed.works !== 'first')
      trs.forEach((tr, row) => tr.replaceChildren(tr.cells[0], means[row], ...cols.map(i => tds[row][i])));
  }
  cols.forEach(writeColumn);
  if (changed.works === true || changed.ref || changed.metric) { writeMeans(cols); writeCaption(); }
  if (changed.ref) trs.forEach((tr, row) => tr.classList.toggle('isref', row === S.ref));
  if (changed.works || changed.sort) markSort();
  const wanted = order(cols).map(row => trs[row]);
  if (wanted.length !== BODY.rows.length || wanted.some((tr, k) => BODY.rows[k] !== tr))
    BODY.replaceChildren(...wanted);
}
GRID.addEventListener('pointerover', event => {
  const td = event.target.closest('td');
  if (!td || td.title || td.cellIndex < 2) return;
  const row = trs.indexOf(td.parentNode), i = columns()[td.cellIndex - 2];
  const r = ratios(S.metric, S.ref, i)[row], cell = D.cells[i];
  const ns = S.metric === 'time' && cell.ns[row] ? `, ${cell.ns[row]} ns/op` : '';
  const ratio = r ? `: ${figure(r.mid)} × ${name(S.ref)}${interval(r) || ', no interval'}${ns}` : '';
  td.title = `${name(row)}, ${D.works[cell.w]} ${cell.p}${ratio}`;
});

/* ---- axes, as charts.py has them */
function axis(values, always, pad, limit) {
  const all = values.filter(v => v > 0 && (!limit || v <= limit)).concat(always);
  let lo = Math.min(...all), hi = Math.max(...all);
  if (hi / lo <= 1.3) { lo /= 1.2; hi *= 1.2; }
  lo = Math.log10(lo); hi = Math.log10(hi);
  const room = (hi - lo) * pad;
  const at = v => 100 * (Math.log10(v) - lo + room) / (hi - lo + 2 * room);
  return { lo: lo - room, hi: hi + room, at };
}
function ticks(ax, most) {
  let values = [];
  const fine = [1, 1.1, 1.2, 1.5, 2, 3, 5, 7, 8, 9], coarse = [1, 2, 5];
  for (const steps of [ax.hi - ax.lo < 0.5 ? fine : coarse, coarse, [1, 3], [1]]) {
    values = [];
    for (let d = Math.floor(ax.lo); d <= Math.ceil(ax.hi); d++)
      values.push(...steps.map(s => +(s * 10 ** d).toPrecision(12)));
    values = values.filter(v => Math.log10(v) >= ax.lo && Math.log10(v) <= ax.hi);
    if (values.length <= most) break;
  }
  const stride = Math.ceil(values.length / most), anchor = Math.max(0, values.indexOf(1));
  return values.filter((_, i) => (i - anchor) % stride === 0).map(v => [ax.at(v), v]);
}
const pc = x => +Math.min(Math.max(x, -1), 101).toFixed(1) + '%';

/* ---- strips: drawn again where they come into view */
const dirty = new Set();
function drawStrips(i) {
  const table = $('c' + i);
  if (!table) return;
  const found = ratios('time', S.ref, i), w = D.cells[i].w, values = [];
  D.cells.forEach((cell, k) => {
    if (cell.w !== w) return;
    for (const r of ratios('time', S.ref, k)) if (r) values.push(r.mid, r.lo || r.mid, r.hi || r.mid);
  });
  const ax = axis(values, 1, 0.04, D.limit), best = leadersOf(found);
  table.style.setProperty('--one', (ax.at(1) / 100).toFixed(4));
  const tick = ([x, v]) => `<text x="${pc(x)}"${v === 1 ? ' class=one' : ''}>${v}</text>`;
  table.querySelector('.ax').innerHTML = ticks(ax, 5).map(tick).join('');
  const rows = table.tBodies[0].rows;
  D.cells[i].o.forEach((row, k) => {
    const r = found[row], cells = rows[k].cells;
    rows[k].classList.toggle('b', best.has(row));
    if (cells.length < 4) return;
    const line = r && r.lo !== null ? `<line x1="${pc(ax.at(r.lo))}" x2="${pc(ax.at(r.hi))}"/>` : '';
    cells[1].innerHTML = r ? `<svg>${line}${use(row, pc(ax.at(r.mid)), 0)}</svg>` : '';
    const bounds = r && interval(r) ? `<span>${interval(r)}</span>` : '';
    cells[2].innerHTML = r ? `<b>${figure(r.mid)}</b>${bounds}` : '—';
  });
}
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    const i = +entry.target.id.slice(1);
    entry.target.visible = entry.isIntersecting;
    if (entry.isIntersecting && dirty.delete(i)) drawStrips(i);
  }
}, { rootMargin: '300px' });
/* The charts of the workloads wait as text until there is time, or until somebody goes there. */
function build(part) {
  const before = part.previousElementSibling, parent = part.parentNode;
  part.insertAdjacentHTML('beforebegin', part.textContent);
  part.remove();
  const made = before ? before.nextElementSibling : parent.firstElementChild;
  for (const span of made.querySelectorAll('.ref')) span.textContent = name(S.ref);
  const table = made.querySelector('table[id]');
  if (!table) return;
  if (S.ref !== FIRST.ref) dirty.add(+table.id.slice(1));
  seen.observe(table);
}
const waiting = [...document.querySelectorAll('noscript.later')];
function buildAll() { while (waiting.length) build(waiting.shift()); }
const idle = window.requestIdleCallback ?? (work => setTimeout(() => work({ timeRemaining: () => 8 }), 30));
function buildSome(time) {
  do { if (waiting.length) build(waiting.shift()); } while (waiting.length && time.timeRemaining() > 6);
  if (waiting.length) idle(buildSome);
}
function drawAllStrips() {
  D.cells.forEach((_, i) => {
    const table = $('c' + i);
    if (table?.visible) drawStrips(i);
    else dirty.add(i);
  });
}
addEventListener('beforeprint', () => {
  buildAll();
  for (const i of [...dirty])
    if (dirty.delete(i)) drawStrips(i);
});

/* ---- time against memory */
const SPOTS = [
  [10, 4, 'start'], [-10, 4, 'end'], [0, -10, 'middle'], [0, 19, 'middle'],
  [8, -8, 'start'], [8, 16, 'start'], [-8, -8, 'end'], [-8, 16, 'end'],
];
function placeLabels(dots, width, height) {
  const taken = dots.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
  return dots.map(([x, y, text]) => {
    const length = text.length * 6.7;
    for (const spot of SPOTS) {
      const left = x + spot[0] - { start: 0, end: length, middle: length / 2 }[spot[2]];
      const box = [left, y + spot[1] - 11, left + length, y + spot[1] + 3];
      const free = taken.every(o => box[2] <= o[0] || o[2] <= box[0] || box[3] <= o[1] || o[3] <= box[1]);
      const inside = box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height;
      if (free && inside) { taken.push(box); return spot; }
    }
    return null;
  });
}
function drawScatter() {
  const cols = columns();
  const all =
    D.rows.map((_, row) => [row, ...mean('time', S.ref, cols, row), ...mean('memory', S.ref, cols, row)]);
  const pair = (value, count) => `<td>${value ? figure(value) : '—'}<td>${count} of ${cols.length}`;
  const meansRow = ([row, t, n, m, k]) =>
    `<tr class=${css(row)}><th scope=row>${mark(row)}${pair(t, n)}${pair(m, k)}`;
  $('means').tBodies[0].innerHTML = all.filter(([row]) => shown(row)).map(meansRow).join('');
  const svg = $('scatter-plot'), dots = all.filter(([row, t, , m]) => t && m && shown(row));
  if (!svg) return;
  const width = svg.clientWidth || 1000, height = svg.clientHeight || 460;
  const ax = axis(dots.map(d => d[1]), 1, 0.1, D.limit), ay = axis(dots.map(d => d[3]), 1, 0.1, D.limit);
  const bad = ([row]) => (row === S.ref ? 0 : D.rows[row][3] ? 1 : 2);
  dots.sort((a, b) => bad(a) - bad(b) || a[1] - b[1]);
  const most = Math.max(3, Math.min(6, Math.floor(width / 70)));
  const edge = v => Math.min(Math.max(v, 0), 100);
  /* The number of a dot that stands at the edge because its place is outside. */
  const outside = d => {
    const found = ax.at(d[1]) > 100 ? d[1] : ay.at(d[3]) > 100 ? d[3] : null;
    return found === null ? '' : ` (${figure(found)} ×)`;
  };
  const text = dots.map(d => name(d[0]) + outside(d));
  const place = (d, k) =>
    [edge(ax.at(d[1])) / 100 * width, height - edge(ay.at(d[3])) / 100 * height, text[k]];
  const labels = placeLabels(dots.map(place), width, height);
  const one = v => v === 1 ? 'one' : 'g';
  const across = ([y, v]) => `<line class=${one(v)} x2="100%" y1="${pc(100 - y)}" y2="${pc(100 - y)}"/>`
    + `<text class=ty x="-8" y="${pc(100 - y)}">${v}</text>`;
  const upright = ([x, v]) => `<line class=${one(v)} x1="${pc(x)}" x2="${pc(x)}" y2="100%"/>`
    + `<text class=tx x="${pc(x)}" y="100%">${v}</text>`;
  const scale = width > 500 ? ' (geometric mean, log scale)' : ', log scale';
  const grid = ticks(ay, 6).map(across).join('') + ticks(ax, most).map(upright).join('')
    + `<text class=lx x="50%" y="100%">time, ratio to ${name(S.ref)}${scale}</text>`
    + `<text class=ly x="0" y="0">memory, ratio to ${name(S.ref)}</text>`;
  const [x1, y1] = [edge(ax.at(1)), edge(ay.at(1))];
  const corner = `<rect class=corner width="${pc(x1)}" y="${pc(100 - y1)}" height="${pc(y1)}"/>`
    + `<text class=good x="8" y="${height - 8}">less time, less memory</text>`;
  svg.innerHTML = corner + `<g class=grid aria-hidden=true>${grid}</g>` + dots.map((d, k) => {
    const x = pc(edge(ax.at(d[1]))), y = pc(100 - edge(ay.at(d[3]))), label = labels[k];
    const [dx, dy, anchor] = label ?? [];
    const beside = label
      ? `<text x="${x}" y="${y}" dx=${dx} dy=${dy} text-anchor=${anchor}>${text[k]}</text>` : '';
    const numbers = `time ${figure(d[1])} × over ${d[2]}, memory ${figure(d[3])} × over ${d[4]}`;
    const title = `<title>${name(d[0])}: ${numbers}</title>`;
    return `<g class=${css(d[0])}>${use(d[0], x, y)}${beside}${title}</g>`;
  }).join('');
  if (dots.length) {
    const fast = dots.reduce((a, b) => b[1] < a[1] ? b : a);
    const lean = dots.reduce((a, b) => b[3] < a[3] ? b : a);
    svg.setAttribute('aria-label', `Scatter of ${dots.length} allocators: `
      + `least time ${name(fast[0])}, ${figure(fast[1])} times that of ${name(S.ref)}; `
      + `least memory ${name(lean[0])}, ${figure(lean[3])} times. The numbers are in the table below.`);
  }
}

/* ---- controls */
function press(button, on) { button.setAttribute('aria-pressed', on); }
function chips(place, entries, click) {
  const chip = ([key, label]) => `<button type=button class=chip data-key="${key}">${esc(label)}</button>`;
  $(place).innerHTML = entries.map(chip).join('');
  $(place).addEventListener('click', event => {
    const key = event.target.dataset?.key;
    if (key) {
      click(key);
      update();
    }
  });
}
$('reference').innerHTML = D.rows.map((row, i) => `<option value=${i}>${row[0]}</option>`).join('');
$('reference').addEventListener('change', event => { S.ref = +event.target.value; update(); });
const flip = (set, key) => { if (!set.delete(key)) set.add(key); };
chips('chips', D.works.map(w => [w, w.replaceAll('_', ' ')]), key => {
  flip(S.works, key);
  if (S.works.size === D.works.length) S.works.clear();
});
$('every').addEventListener('click', () => { S.works.clear(); update(); });
chips('metrics', METRICS.map(m => [m[0], m[1]]), key => { S.metric = key; });
chips('groups', GROUPS.map(g => [g, g]), key => flip(S.hidden, key));
$('filter').addEventListener('input', event => { S.find = event.target.value; update(); });
$('theme').addEventListener('change', event => {
  S.theme = event.target.value === 'system' ? '' : event.target.value;
  update();
});
$('grid').addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.ref !== undefined) S.ref = +button.dataset.ref;
  else if (S.sort !== button.dataset.sort) { S.sort = button.dataset.sort; S.down = false; }
  else if (!S.down) S.down = true;
  else { S.sort = ''; S.down = false; }
  update();
  button.focus({ preventScroll: true });
});
function tableText() {
  const cols = columns();
  const head = ['allocator', 'mean', ...cols.map(i => `${D.works[D.cells[i].w]} ${D.cells[i].p}`.trim())];
  const suite = S.metric === 'time' ? 0 : 1, without = { f: 'failed', n: '—', u: '', o: '' };
  const cell = (i, row) =>
    ratios(S.metric, S.ref, i)[row]?.mid.toPrecision(4) ?? without[D.cells[i].s[suite][row]];
  const average = row => mean(S.metric, S.ref, cols, row)[0]?.toPrecision(4) ?? '';
  return [head, ...order(cols).map(row => [name(row), average(row), ...cols.map(i => cell(i, row))])];
}
async function copy(text, what) {
  try { await navigator.clipboard.writeText(text); } catch {
    const box = Object.assign(document.createElement('textarea'), { value: text });
    document.body.append(box); box.select(); document.execCommand('copy'); box.remove();
  }
  $('said').textContent = `${what} copied`;
}
const quoted = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
$('csv').addEventListener('click', () => {
  copy(tableText().map(row => row.map(quoted).join()).join('\n') + '\n', 'CSV');
});
$('markdown').addEventListener('click', () => {
  const [head, ...rows] = tableText(), line = row => `| ${row.join(' | ')} |`;
  const under = '|' + head.map((_, i) => i ? '--:|' : ':--|').join('');
  copy([line(head), under, ...rows.map(line)].join('\n') + '\n', 'Markdown');
});

/* ---- everything follows the state */
const hider = document.head.appendChild(document.createElement('style'));
const keyed = () => ({
  ref: S.ref, works: [...S.works].join(), find: S.find, hide: [...S.hidden].join(), metric: S.metric,
  sort: S.sort + S.down,
});
let drawn = keyed(), late = false;
/* The chart at once where it is seen, else when there is time. */
function drawScatterSoon() {
  const place = $('scatter').getBoundingClientRect();
  if (place.bottom > 0 && place.top < innerHeight) { drawScatter(); return; }
  if (!late) idle(() => { late = false; drawScatter(); });
  late = true;
}
function update(first) {
  const key = keyed(), changed = {};
  for (const k in key) if (key[k] !== drawn[k]) changed[k] = true;
  drawn = key;
  if (S.theme) root.dataset.theme = S.theme; else delete root.dataset.theme;
  if (first) changed.works ??= 'first';
  const any = Object.keys(changed).length;
  const seen = changed.ref || changed.find || changed.hide || changed.works === true;
  if (seen) drawScatterSoon();
  if (any) drawGrid(changed);
  if (changed.ref) {
    drawAllStrips();
    for (const span of document.querySelectorAll('.ref')) span.textContent = name(S.ref);
  }
  const hide = row => shown(row) ? '' : `.cell .${css(row)},.plot .${css(row)}{display:none}`;
  if (changed.find || changed.hide) hider.textContent = D.rows.map((_, row) => hide(row)).join('');
  $('reference').value = S.ref; $('theme').value = S.theme || '';
  if ($('filter').value !== S.find) $('filter').value = S.find;
  for (const b of $('chips').children) press(b, S.works.has(b.dataset.key));
  press($('every'), !S.works.size);
  for (const b of $('metrics').children) press(b, S.metric === b.dataset.key);
  for (const b of $('groups').children) press(b, !S.hidden.has(b.dataset.key));
  write();
}
const ABOVE = ['answers', 'tradeoff', 'table', 'workloads'];
function go() {
  if (!S.at) return;
  if (!ABOVE.includes(S.at)) buildAll();
  $(S.at)?.scrollIntoView();
}
document.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  S.at = link.getAttribute('href').slice(1);
  write(); go();
  const target = $(S.at);
  if (target) { target.tabIndex = -1; target.focus({ preventScroll: true }); }
});
addEventListener('hashchange', () => { read(); update(); go(); });
let resizing = 0;
addEventListener('resize', () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(drawScatter);
});
read(); update(true); go(); idle(buildSome);
if (innerWidth < 900) idle(drawScatter);
})();
