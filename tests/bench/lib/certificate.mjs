// The certificate of all servers with TLS: ECDSA P-256, for localhost. { cert, key, pem (both in one file) }, in the folder.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export function certificate(folder) {
  const at = (name) => path.join(folder, name), files = { cert: at('tls-cert.pem'), key: at('tls-key.pem'), pem: at('tls.pem') };
  if (fs.existsSync(files.pem)) return files;
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', files.key, '-out', files.cert], { stdio: 'pipe' });
  fs.writeFileSync(files.pem, fs.readFileSync(files.cert, 'utf8') + fs.readFileSync(files.key, 'utf8'));
  return files;
}
