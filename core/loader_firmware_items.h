/*
 * What a firmware partition's configuration device holds: the boot modules, and how many CPUs there are. Private to the
 * loaders.
 */
#pragma once

#include "core/loader_protocol.h"

/* Opens and checks the modules. False with a line on the layout's errors. */
bool must_check loader_firmware_items_check(struct loader_layout *l);

/* Gives them to the partition's platform. When there is no room, the writer has failed. */
void loader_firmware_items_add(struct loader_writer *w, const struct loader_layout *l);
