#include "http/date.h"
