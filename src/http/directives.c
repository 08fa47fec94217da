#include "http/directives.h"
