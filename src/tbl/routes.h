/*
 * What the admin listener answers, and what a token needs for it.
 * Columns of ROUTE: id, method (HEAD comes with GET), path, scope, sites, text. Of ROUTE_LIKE, which has no
 * path of its own: id, what it looks like for people, scope, sites, text.
 *   scope  of tbl/scopes.h; NONE: no token is needed
 *   sites  OWN: of a token for some sites it reaches these alone. ALL: the token must be for all sites. NONE:
 *          no token is needed
 * Users: admin/routes (the router), tests/check/routes.mjs (docs/ADMIN.md has this table).
 */
/* clang-format off */
ROUTE(PURGE,  POST,   "/api/v1/purge",   PURGE, OWN,  "purges a site, tags, URLs, or what is below a path")
ROUTE_LIKE(PURGE_METHOD, "`PURGE`, `BAN`, `PURGEKEYS`, `PURGETAGS` of a URL", PURGE, OWN, "purge as the plugins for Varnish do: [PURGING.md](PURGING.md)")
ROUTE_LIKE(FOREIGN, "`POST` to the purge APIs of Fastly, Cloudflare and Vercel", PURGE, OWN, "purge as their clients mean: [PURGING.md](PURGING.md#the-apis-of-fastly-cloudflare-and-vercel)")
ROUTE(EXPLAIN, GET,   "/api/v1/explain", READ,  OWN,  "what a request for a URL (`?url=URL`) would be answered with, and why")
ROUTE(STATUS, GET,    "/api/v1/status",  READ,  OWN,  "how this freshet is doing")
ROUTE(DEPLOY, POST,   "/api/v1/deploy",  ADMIN, OWN,  "makes another release of a site live: [DEPLOYS.md](DEPLOYS.md)")
ROUTE(ORIGINS, GET,   "/api/v1/origins", READ,  OWN,  "the origins of each site, and how they do: [ORIGINS.md](ORIGINS.md)")
ROUTE(DRAIN,  POST,   "/api/v1/origins/drain", ADMIN, ALL, "an origin gets nothing new: [ORIGINS.md](ORIGINS.md#draining-one)")
ROUTE(UNDRAIN, POST,  "/api/v1/origins/undrain", ADMIN, ALL, "it does again")
ROUTE(UPGRADE, POST,  "/api/v1/upgrade", ADMIN, ALL,  "starts a new freshet in the place of this one: [ADMIN.md](ADMIN.md#upgrades)")
ROUTE(UPGRADED, GET,  "/api/v1/upgrade", ADMIN, ALL,  "how that went")
ROUTE(TOKENS, GET,    "/api/v1/tokens",  ADMIN, ALL,  "which tokens there are")
ROUTE(CREATE, POST,   "/api/v1/tokens",  ADMIN, ALL,  "makes a token")
ROUTE(REVOKE, DELETE, "/api/v1/tokens",  ADMIN, ALL,  "revokes a token (`?name=NAME`)")
ROUTE(CERTIFICATES, GET, "/api/v1/certificates", READ, OWN, "which certificates there are: [TLS.md](TLS.md#which-certificates-are-there)")
ROUTE(CERTIFY, POST,  "/api/v1/certificates", ADMIN, ALL, "renews one of ACME, or revokes and replaces it: [TLS.md](TLS.md#renew-and-revoke-by-hand)")
ROUTE(HEALTH, GET,    "/healthz",        NONE,  NONE, "200 while the process lives")
ROUTE(READY,  GET,    "/readyz",         NONE,  NONE, "200 while it serves, 503 while it starts or drains; when the last visitor has gone the connection is refused")
ROUTE(METRICS, GET,   "/metrics",        NONE,  NONE, "Prometheus text")
/* clang-format on */
