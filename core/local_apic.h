#pragma once
#include "drivers/virt/local_apic.h"
