/* What the tests of webhooks share: messages, and the vectors that the senders' own packages made. */
#ifndef ADMIN_WEBHOOK_TEST_H
#define ADMIN_WEBHOOK_TEST_H

#include "admin/webhook_payload.h"
#include "admin/webhook_proof.h"

#define T_MS 1700000000000

#define KONTENT_BODY                                                                                         \
    "{\r\n  \"notifications\": [\r\n    {\r\n      \"data\": {\r\n        \"system\": {\r\n"                 \
    "          \"id\": \"aa7f127f-1920-4454-a89a-0609aba8ea6f\",\r\n"                                        \
    "          \"name\": \"This changes everything!\",\r\n"                                                  \
    "          \"codename\": \"this_changes_everything_\",\r\n"                                              \
    "          \"collection\": \"marketing\",\r\n"                                                           \
    "          \"workflow\": \"default\",\r\n"                                                               \
    "          \"workflow_step\": \"published\",\r\n"                                                        \
    "          \"language\": \"default\",\r\n"                                                               \
    "          \"type\": \"product_update\",\r\n"                                                            \
    "          \"last_modified\": \"2024-03-25T07:55:57.0563735Z\"\r\n        }\r\n      },\r\n"             \
    "      \"message\": {\r\n"                                                                               \
    "        \"environment_id\": \"0f5b6cb2-ea82-014e-ac74-f71e7e8b6aee\",\r\n"                              \
    "        \"object_type\": \"content_item\",\r\n"                                                         \
    "        \"action\": \"published\",\r\n"                                                                 \
    "        \"delivery_slot\": \"published\"\r\n      }\r\n    }\r\n  ]\r\n}"

#define CONTENTFUL_SECRET "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A request that its sender signed. `body` 0: the lines prove it alone. */
struct vector {
    enum sender sender;
    const char *secret, *target, *lines, *body;
    int64_t now_ms;
};

static const struct vector vectors[] = {
    { SENDER_contentful, CONTENTFUL_SECRET, "/_edge/hooks/contentful",
      "Content-Type: application/vnd.contentful.management.v1+json\n"
      "X-Contentful-Topic: ContentManagement.Entry.publish\n"
      "X-Contentful-Signed-Headers: content-type,x-contentful-signed-headers,x-contentful-timestamp,"
      "x-contentful-topic\n"
      "X-Contentful-Timestamp: 1700000000000\n"
      "X-Contentful-Signature: c58550d2cb8c796f2eb07cccf600736d0e4e52d775b7c951a9f61db21ad3e78d\n",
      "{\"sys\":{\"id\":\"5LGKtDMoIkoQxqyZt6qXY7\"}}", T_MS },
    /* a query, which is escaped twice */
    { SENDER_contentful, CONTENTFUL_SECRET, "/hook?site=a&b=c%20d",
      "x-contentful-topic: T\n"
      "x-contentful-signed-headers: x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic\n"
      "x-contentful-timestamp: 1700000000000\n"
      "x-contentful-signature: 432247f57225a64c007eebe32243152062a3701381d5267286bee3b7fdaeac77\n",
      "{\"sys\":{\"id\":\"e1\"}}", T_MS },
    { SENDER_contentful, CONTENTFUL_SECRET, "/h%C3%A9/x(1)?q='a'~b/\xc3\xbc",
      "x-contentful-signed-headers: x-contentful-signed-headers,x-contentful-timestamp\n"
      "x-contentful-timestamp: 1700000000000\n"
      "x-contentful-signature: a74868ed864e836300ec42fa5ac93bc513f4f282fd3622d4da9fd7628f6257ca\n",
      "{}", T_MS },
    /* the package drops what follows a second "?" */
    { SENDER_contentful, CONTENTFUL_SECRET, "/hook?a=1?b=2",
      "x-contentful-signed-headers: x-contentful-signed-headers,x-contentful-timestamp\n"
      "x-contentful-timestamp: 1700000000000\n"
      "x-contentful-signature: 71ef73156d4a31a008271c2587422dba3cd1d2a4ca6d35c3e132df6d4ce6e56b\n",
      "{}", T_MS },
    { SENDER_contentful, CONTENTFUL_SECRET, "/hook?",
      "x-contentful-signed-headers: x-contentful-signed-headers, x-contentful-timestamp\n"
      "x-contentful-timestamp: 1700000000000\n"
      "x-contentful-signature: 3a3dba63d02f3000e9ed66317cc0e1772d9e642ebb12133c84e5aabd8d796000\n",
      "{}", T_MS },
    { SENDER_sanity, "test", "/hook",
      "sanity-webhook-signature: t=1700000000000,v1=CcuPmcxS77xGrLtnu0Jr8bNeVVKUNFC0eq8HtzoZJLo\n",
      "{\"_id\":\"a\"}", T_MS },
    { SENDER_sanity, "test", "/hook",
      "Sanity-Webhook-Signature: t=1700000000000, v1=CcuPmcxS77xGrLtnu0Jr8bNeVVKUNFC0eq8HtzoZJLo\n",
      "{\"_id\":\"a\"}", T_MS },
    { SENDER_ghost, "test", "/hook",
      "X-Ghost-Signature: sha256=196869cd25f86d68c539ac29162b636a80ef7285d71aec7c3a15a7c317bc83e3, "
      "t=1700000000000\n",
      "{\"post\":{}}", T_MS },
    { SENDER_storyblok, "test", "/hook", "webhook-signature: 390076596100110c570bb4bcbc990b3ccb7348ef\n",
      "{\"action\":\"published\"}", 0 },
    { SENDER_shopify, "test", "/hook",
      "X-Shopify-Hmac-Sha256: xlT6vsbdtMK4YwnaJQkNP+qXRvVDsIOzro7DXCBYf+8=\nX-Shopify-Webhook-Id: w1\n",
      "{\"id\":1}", 0 },
    { SENDER_shopify, "test", "/hook", "shopify-hmac-sha256: xlT6vsbdtMK4YwnaJQkNP+qXRvVDsIOzro7DXCBYf+8=\n",
      "{\"id\":1}", 0 },
    { SENDER_woocommerce, "test", "/hook",
      "X-WC-Webhook-Signature: xlT6vsbdtMK4YwnaJQkNP+qXRvVDsIOzro7DXCBYf+8=\n", "{\"id\":1}", 0 },
    { SENDER_github, "test", "/hook",
      "X-Hub-Signature-256: "
      "sha256=01c1b8915a46fe1c18550d28c59c121943f7610b5f7619b7f81cbc1aebf782a8\nX-GitHub-Delivery: g1\n",
      "{\"ref\":\"refs/heads/main\"}", 0 },
    { SENDER_hygraph, "test", "/hook",
      "gcms-signature: sign=X8i5yGY2Rsd/nonCrw5p4LHQWv1V+MDWnAi19RFAxOI=, env=master, t=1700000000000\n",
      "{\"data\":{\"id\":\"1\"}}", T_MS },
    /* each kind of byte that JSON.stringify escapes, and some that it does not */
    { SENDER_hygraph, "test", "/hook",
      "gcms-signature: sign=QQ4b9emYb8Gnld+H0F2W4DPUzMlQIl2T1Z/YV4V3jmE=, env=m\xc3\xa4 ster, "
      "t=1700000000000\n",
      "{\"a\":\"q\\\"\\\\b\\u0001 \xc3\xa9 \xe2\x80\xa8 \x7f /\"}\n\t\r\b\f\v\x01", T_MS },
    { SENDER_kontent, "BHPyfqwSy1iJjcscOB+GSkDf9THrBlfcKkwtADJdbP4=", "/hook",
      "X-Kontent-ai-Signature: CF9/hYLw2CDcVp2wW39OFUglh++fGdHFeOhiWxM3jZg=\n", KONTENT_BODY, 0 },
    { SENDER_kontent, "BHPyfqwSy1iJjcscOB+GSkDf9THrBlfcKkwtADJdbP4=", "/hook",
      "X-KC-Signature: CF9/hYLw2CDcVp2wW39OFUglh++fGdHFeOhiWxM3jZg=\n", KONTENT_BODY, 0 },
    { SENDER_standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "/hook",
      "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
      "webhook-signature: v1,AAAAM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE v1a,x "
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n",
      "{\"test\": 2432232314}", 1614265330000 },
    { SENDER_standard, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "/hook",
      "svix-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nsvix-timestamp: 1614265330\n"
      "svix-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n",
      "{\"test\": 2432232314}", 1614265330000 },
    { SENDER_strapi, "s3cret-token", "/hook", "Authorization: Bearer s3cret-token\n", "{}", 0 },
    { SENDER_directus, "s3cret-token", "/hook", "Authorization: s3cret-token\n", "{}", 0 },
    { SENDER_payload, "s3cret-token", "/hook", "authorization: bearer  s3cret-token\n", "{}", 0 },
    { SENDER_datocms, "user:password", "/hook", "Authorization: Basic dXNlcjpwYXNzd29yZA==\n", "{}", 0 },
    { SENDER_prismic, "s3cret-token", "/hook", "", "{\"type\":\"api-update\",\"secret\":\"s3cret-token\"}",
      0 },
    { SENDER_generic, "s3cret-token", "/hook", "Authorization: Bearer s3cret-token\n", "{}", 0 },
};

/* A webhook of that sender with the window that is the default. */
static inline struct webhook webhook_of(enum sender sender, const char *secret)
{
    return (struct webhook){
        .sender = sender, .scheme = webhook_scheme_of(sender), .secret = str_from(secret), .window_ms = 300000
    };
}

#endif
