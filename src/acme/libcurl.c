#include "acme/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Its interface has had this number since 2006. */
#define FILE_NAME "libcurl.so.4"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct libcurl calls;
static bool is_there;
static char trouble[512];

struct call {
    const char *name;
    void *at; /* where its address goes */
};

#define CALL(name) { "curl_" #name, &calls.name },

static bool find_calls(void *library)
{
    const struct call all[] = { LIBCURL_CALLS(CALL) };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        void *found = dlsym(library, all[i].name);
        if (!found)
            return false;
        memcpy(all[i].at, &found, sizeof(found)); /* ISO C has no cast from an object to a function */
    }
    return true;
}

static void load(void)
{
    void *library = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL);
    if (library && find_calls(library)) {
        is_there = calls.global_init(CURL_GLOBAL_SSL) == CURLE_OK;
        snprintf(trouble, sizeof(trouble), "libcurl does not work here");
        return;
    }
    const char *why = dlerror();
    snprintf(trouble, sizeof(trouble), "%s cannot be used: %s; install it (Debian: apt-get install libcurl4)",
             FILE_NAME, why ? why : "it is another one");
}

const struct libcurl *libcurl_open(void)
{
    pthread_once(&once, load);
    return is_there ? &calls : NULL;
}

struct str libcurl_trouble(void)
{
    return (struct str){ trouble, strlen(trouble) };
}
