import { error } from '@sveltejs/kit';

export function load() {
  error(503, 'the database is away');
}
