/*
 * What is said while the plan is made: on the terminal at once, and into the log, where `log` shows it again.
 */
#pragma once

#include "core/sink.h"

struct sink *report_sink(void);
