// SPDX-License-Identifier: MIT
//
// A reader for the documents that the service sends: elements, attributes, text.
// It is strict, so that what it reads is well-formed; no DTDs, no CDATA.

const ENTITIES = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescape(text) {
  if (text.includes('<')) {
    throw new Error(`not well-formed: ${text}`);
  }
  return text.replace(/&([^;&]*);?/g, (whole, name) => {
    if (!whole.endsWith(';')) {
      throw new Error(`a bare & in ${text}`);
    }
    const number = name.match(/^#(?:x([0-9a-fA-F]+)|([0-9]+))$/);
    if (number) {
      return String.fromCodePoint(number[1] ? parseInt(number[1], 16) : Number(number[2]));
    }
    if (!Object.hasOwn(ENTITIES, name)) {
      throw new Error(`unknown entity ${whole}`);
    }
    return ENTITIES[name];
  });
}

class Element {
  constructor(name, attributes) {
    Object.assign(this, { name, attributes, children: [], text: '' });
  }

  all(name) {
    return this.children.filter((child) => child.name === name);
  }

  one(name) {
    const found = this.all(name);
    if (found.length !== 1) {
      throw new Error(`<${this.name}> has ${found.length} <${name}>`);
    }
    return found[0];
  }

  has(name) {
    return this.all(name).length > 0;
  }

  // The text of the element at the end of a path, or undefined.
  at(...path) {
    let here = this;
    for (const name of path) {
      here = here.all(name)[0];
      if (!here) {
        return undefined;
      }
    }
    return here.text;
  }
}

function attributes(text) {
  const found = {};
  const rest = text.replace(/\s+([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g, (_, name, a, b) => {
    found[name] = unescape(a ?? b);
    return '';
  });
  if (rest.trim()) {
    throw new Error(`not well-formed: ${text}`);
  }
  return found;
}

export function parse(document) {
  let text = document.replace(/^\uFEFF/, '').replace(/^\s*<\?xml[^?]*\?>/, '');
  const root = new Element('', {});
  const open = [root];
  const tag = /^<(\/?)([A-Za-z_][\w.:-]*)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>/;
  while (text) {
    const top = open.at(-1);
    const next = text.indexOf('<');
    if (next !== 0) {
      const end = next < 0 ? text.length : next;
      top.text += unescape(text.slice(0, end));
      text = text.slice(end);
      continue;
    }
    const match = text.match(tag);
    if (!match) {
      throw new Error(`not well-formed: ${text.slice(0, 80)}`);
    }
    const [whole, end, name, rest, empty] = match;
    text = text.slice(whole.length);
    if (end) {
      if (open.length === 1 || open.pop().name !== name) {
        throw new Error(`</${name}> out of place`);
      }
      continue;
    }
    const element = new Element(name, attributes(rest));
    top.children.push(element);
    if (!empty) {
      open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1 || root.text.trim()) {
    throw new Error('not one whole document');
  }
  return root.children[0];
}

export function escape(text) {
  return text.replace(/[&<>"]/g, (c) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' }[c]};`);
}
