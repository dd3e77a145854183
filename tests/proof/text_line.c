/* Cuts any text into lines, names and values: WP. */
#include "core/text_report.h"

/*@ requires \valid(report) && slice_readable(at.text);
    assigns report->count; */
void text_error(struct text_report *report, struct config_text at, const char *what, const char *hint, ...);
/*@ assigns \nothing; */
int memcmp(const void *a, const void *b, size_t size);

#include "core/text_line.c"
