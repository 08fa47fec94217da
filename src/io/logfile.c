#include "io/logfile.h"
