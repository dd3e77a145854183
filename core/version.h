/* The release. No date: two builds of the same source are the same bytes. */
#pragma once

#define RINGFENCE_VERSION "0.1"
