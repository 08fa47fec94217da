#include "http/chunked.h"
