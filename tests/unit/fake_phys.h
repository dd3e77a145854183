#pragma once

#include "core/phys.h"

void fake_phys_setup(uint64_t base, uint64_t size);
void fake_phys_teardown(void);
uint8_t *fake_phys_at(uint64_t address, uint64_t size); /* aborts when outside */
