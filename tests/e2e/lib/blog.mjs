// WordPress itself, Debian's, in a folder of its own, with a MariaDB of its own, served by PHP's own server. Hosts are what visitors ask
// for, so one WordPress can stand behind several freshets.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask, end, run } from './front.mjs';
import { temporaryFolder, until } from './world.mjs';

const SITES = fileURLToPath(new URL('../../sites/', import.meta.url));
export const HASH = 'c00k1e'; // the end of each cookie's name

export class Blog {
  constructor(port) {
    this.port = port;
    this.folder = temporaryFolder();
    this.root = join(this.folder, 'site');
    this.sql = join(this.folder, 'sql');
    this.children = [];
    this.said = '';
    cpSync('/usr/share/wordpress', this.root, { recursive: true, dereference: true, filter: (from) => !/\.htaccess$/.test(from) });
  }

  hear = (d) => (this.said += d);

  /** `host`: what links lead to; `lines`: more of wp-config.php. */
  async start(host, lines) {
    this.host = host;
    this.configure(lines);
    await this.startDatabase();
    this.facts = JSON.parse(this.php('wordpress-install.php'));
    this.children.push(run('php', ['-d', 'display_errors=0', '-d', 'log_errors=1', '-d', 'output_buffering=0', '-d', 'opcache.revalidate_freq=0', '-S', `127.0.0.1:${this.port}`, '-t', this.root], {}, this.hear));
    await until(() => `WordPress\n${this.said}`, () => ask(this.port, '/wp-login.php').then((r) => r.status === 200, () => false), 60_000);
    console.log(`WordPress ${this.facts.version}`);
  }

  configure(lines) {
    writeFileSync(join(this.root, 'wp-config.php'), `<?php
define( 'DB_NAME', 'wp' ); define( 'DB_USER', 'root' ); define( 'DB_PASSWORD', '' ); define( 'DB_HOST', 'localhost:${this.sql}/socket' );
define( 'DB_CHARSET', 'utf8mb4' ); define( 'WP_HTTP_BLOCK_EXTERNAL', true ); define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1' ); define( 'DISABLE_WP_CRON', true );
define( 'AUTH_KEY', 'a' ); define( 'SECURE_AUTH_KEY', 'b' ); define( 'LOGGED_IN_KEY', 'c' ); define( 'NONCE_KEY', 'd' );
define( 'WP_HOME', 'http://' . $_SERVER['HTTP_HOST'] ); define( 'WP_SITEURL', WP_HOME ); define( 'COOKIEHASH', '${HASH}' );
define( 'WP_DEFAULT_THEME', 'twentytwentythree' );
${lines}
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
`);
  }

  async startDatabase() {
    mkdirSync(this.sql);
    const asWhom = process.getuid() === 0 ? ['--user=root'] : [];
    const made = spawnSync('mariadb-install-db', ['--no-defaults', `--datadir=${this.sql}/data`, '--auth-root-authentication-method=normal', '--skip-test-db', ...asWhom], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stdout + made.stderr);
    this.children.push(run('/usr/sbin/mariadbd', ['--no-defaults', `--datadir=${this.sql}/data`, `--socket=${this.sql}/socket`, '--skip-networking',
      '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=32M', ...asWhom], {}, this.hear));
    await until(() => `the database\n${this.said}`, () => spawnSync('mariadb', ['--no-defaults', `--socket=${this.sql}/socket`, '-uroot', '-e', 'CREATE DATABASE IF NOT EXISTS wp']).status === 0, 60_000);
  }

  get environment() {
    return { ...process.env, SITE_URL: `http://${this.host}` };
  }

  php(script, ...args) {
    const made = spawnSync('php', ['-d', 'display_errors=stderr', join(SITES, script), this.root, ...args], { encoding: 'utf8', env: this.environment });
    assert.equal(made.status, 0, made.stdout + made.stderr);
    return made.stdout;
  }

  /** Does what an editor does, with WordPress' own functions, in a process of its own; resolves when that has ended. */
  act(code) {
    return new Promise((resolve, reject) => {
      const child = spawn('php', ['-d', 'display_errors=stderr', join(SITES, 'wordpress-act.php'), this.root, code], { env: this.environment });
      let out = '', errors = '';
      child.stdout.on('data', (d) => (out += d));
      child.stderr.on('data', (d) => (errors += d));
      child.on('close', (status) => (status === 0 ? resolve(out) : reject(new Error(`${out}${errors}`))));
    });
  }

  async stop() {
    for (const child of this.children.reverse()) await end(child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
