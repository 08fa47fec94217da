#include "http/sf.h"
