// Makes a small database of countries in the MaxMind DB format, version 2.0: a binary tree over the bits of an address, whose
// leaves point at records behind it. For tests, so that every address is where they want it.

const TREE_END = 16; // zero bytes between the tree and the records

// A value of the format: strings, numbers as {u16}, {u32} or {u64}, lists, maps.
function encode(value) {
  const head = (type, size) => (type <= 7 ? [(type << 5) | size] : [size, type - 7]);
  const number = (type, n, bytes) => {
    const b = Buffer.alloc(8);
    b.writeBigUInt64BE(BigInt(n));
    return Buffer.from([...head(type, bytes), ...b.subarray(8 - bytes)]);
  };
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    if (text.length >= 29 + 256) throw new Error('too long for this little writer');
    const size = text.length < 29 ? head(2, text.length) : [...head(2, 29), text.length - 29];
    return Buffer.concat([Buffer.from(size), text]);
  }
  if (Array.isArray(value)) return Buffer.concat([Buffer.from(head(11, value.length)), ...value.map(encode)]);
  if ('u16' in value) return number(5, value.u16, 2);
  if ('u32' in value) return number(6, value.u32, 4);
  if ('u64' in value) return number(9, value.u64, 8);
  const entries = Object.entries(value);
  return Buffer.concat([Buffer.from(head(7, entries.length)), ...entries.flatMap((e) => e.map(encode))]);
}

// The 128 bits of an address, and how many of them the network has. IPv4 stands at ::/96.
function network(text) {
  const [address, length] = text.split('/');
  if (!address.includes(':')) {
    const bits = address.split('.').map((n) => (+n).toString(2).padStart(8, '0')).join('');
    return { bits: '0'.repeat(96) + bits, length: 96 + +length };
  }
  const [front, back] = address.split('::').map((s) => s.split(':').filter(Boolean));
  const groups = back ? [...front, ...Array(8 - front.length - back.length).fill('0'), ...back] : front;
  return { bits: groups.map((g) => parseInt(g, 16).toString(2).padStart(16, '0')).join(''), length: +length };
}

// networks: {'192.0.2.0/24': RECORD, '2001:db8::/32': RECORD}; none within another. Returns the file's bytes.
export function mmdb(networks) {
  const nodes = [[null, null]];
  const records = [];
  let at = 0;
  for (const [text, record] of Object.entries(networks)) {
    const { bits, length } = network(text);
    let node = 0;
    for (let i = 0; i < length - 1; i++) {
      const next = nodes[node][+bits[i]];
      node = next ?? (nodes[node][+bits[i]] = nodes.push([null, null]) - 1);
    }
    nodes[node][+bits[length - 1]] = { at };
    records.push(encode(record));
    at += records.at(-1).length;
  }
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.flat().forEach((to, i) => {
    const value = to === null ? nodes.length : typeof to === 'number' ? to : nodes.length + TREE_END + to.at;
    tree.writeUIntBE(value, i * 3, 3);
  });
  const about = { binary_format_major_version: { u16: 2 }, binary_format_minor_version: { u16: 0 }, build_epoch: { u64: 1 },
    database_type: 'Test-Country', description: { en: 'for tests' }, ip_version: { u16: 6 }, languages: ['en'],
    node_count: { u32: nodes.length }, record_size: { u16: 24 } };
  return Buffer.concat([tree, Buffer.alloc(TREE_END), ...records, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), encode(about)]);
}
