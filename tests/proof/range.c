#include "core/range.h"
