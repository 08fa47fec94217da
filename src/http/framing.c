#include "http/framing.h"
