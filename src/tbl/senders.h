/*
 * Senders of webhooks, and how each proves that a request is its own (docs/WEBHOOKS.md).
 * Columns: id, how, digest, coding, field, other, prefix, delivery.
 *   id        the name in the setting `sender`, and of the enum
 *   how       BODY: an HMAC of the body. CONTENTFUL, SANITY, GHOST, HYGRAPH, STANDARD: an HMAC of the body
 *             and more, in the form of that sender. SECRET: the field is the secret. MEMBER: a member of the
 *             payload is the secret
 *   digest    SHA1 or SHA256, of the HMAC
 *   coding    of the HMAC in the field: HEX, BASE64 or BASE64URL
 *   field     the request's field with the proof; for MEMBER the payload's member
 *   other     another name of that field; may be empty
 *   prefix    of the proof in the field; may be empty
 *   delivery  a field that is different for each delivery, so that a copy of one is known; may be empty
 * Users: conf/webhook (names, enum), admin/webhook_proof.
 */
/* clang-format off */
SENDER(contentful,  CONTENTFUL, SHA256, HEX,       "x-contentful-signature",   "", "", "")
SENDER(sanity,      SANITY,     SHA256, BASE64URL, "sanity-webhook-signature", "", "", "")
SENDER(storyblok,   BODY,       SHA1,   HEX,       "webhook-signature",        "", "", "")
SENDER(strapi,      SECRET,     SHA256, HEX,       "Authorization",            "", "", "")
SENDER(directus,    SECRET,     SHA256, HEX,       "Authorization",            "", "", "")
SENDER(payload,     SECRET,     SHA256, HEX,       "Authorization",            "", "", "")
SENDER(datocms,     SECRET,     SHA256, HEX,       "Authorization",            "", "", "")
SENDER(prismic,     MEMBER,     SHA256, HEX,       "secret",                   "", "", "")
SENDER(ghost,       GHOST,      SHA256, HEX,       "X-Ghost-Signature",        "", "", "")
SENDER(hygraph,     HYGRAPH,    SHA256, BASE64,    "gcms-signature",           "", "", "")
SENDER(shopify,     BODY,       SHA256, BASE64,    "X-Shopify-Hmac-Sha256",    "shopify-hmac-sha256", "", "X-Shopify-Webhook-Id")
SENDER(woocommerce, BODY,       SHA256, BASE64,    "X-WC-Webhook-Signature",   "", "", "X-WC-Webhook-Delivery-ID")
SENDER(github,      BODY,       SHA256, HEX,       "X-Hub-Signature-256",      "", "sha256=", "X-GitHub-Delivery")
SENDER(kontent,     BODY,       SHA256, BASE64,    "X-Kontent-ai-Signature",   "X-KC-Signature", "", "")
SENDER(standard,    STANDARD,   SHA256, BASE64,    "webhook-signature",        "svix-signature", "", "")
SENDER(generic,     SECRET,     SHA256, HEX,       "Authorization",            "", "", "")
/* clang-format on */
