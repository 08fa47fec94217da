#include "http/accept.h"
