#include "http/field.h"
