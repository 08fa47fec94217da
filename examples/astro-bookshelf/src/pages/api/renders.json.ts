import type { APIRoute } from 'astro';
import { renders } from '../../lib/renders';

export const GET: APIRoute = () => Response.json(renders(), { headers: { 'Cache-Control': 'no-store' } });
