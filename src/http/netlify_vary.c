#include "http/netlify_vary.h"
