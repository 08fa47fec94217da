// Bytes beyond the end of an answer that comes in pieces, together with its last one: who waits for the connection does not get them.
// scenarios F5, F6; hostile h1-21
import { surplus } from '../surplus.mjs';

await surplus();
