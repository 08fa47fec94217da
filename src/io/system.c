#include "io/system.h"
