#include "acme/base64url.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_add(struct buf *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6)
            buf_add_char(out, letters[bits >> (have - 6) & 63]);
    }
    if (have)
        buf_add_char(out, letters[bits << (6 - have) & 63]);
}

bool base64url_read(struct str text, struct buf *out)
{
    size_t before = out->n;
    uint32_t bits = 0;
    unsigned have = 0;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(letters, text.p[i]) : NULL;
        if (!at) {
            out->n = before;
            return false;
        }
        bits = bits << 6 | (uint32_t)(at - letters);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_add_char(out, (char)(bits >> have & 255));
        }
    }
    /* A last letter of its own holds no byte, and what is left over is zero in the one spelling there is. */
    if (have == 6 || (bits & ((1u << have) - 1)) != 0) {
        out->n = before;
        return false;
    }
    return true;
}
