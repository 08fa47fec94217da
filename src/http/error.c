#include "http/error.h"
