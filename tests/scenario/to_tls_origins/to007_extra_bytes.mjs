// Bytes beyond the end of an answer of an https:// origin, together with its last ones: who waits for the connection does not get them.
// scenarios F5, F6; hostile h1-21
import path from 'node:path';
import { surplus } from '../surplus.mjs';
import { authority, signed } from '../tls.mjs';

authority('ca');
await surplus({ secure: signed('good', 'ca', ['IP:127.0.0.1']), flags: ['--origin-ca', path.resolve('ca.pem')] });
