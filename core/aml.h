/*
 * Writes ACPI Machine Language into a buffer (ACPI, "ACPI Machine Language (AML) Specification"): just the objects that
 * describe a fixed set of devices.
 */
#pragma once

#include "core/types.h"

struct aml {
    uint8_t *at;
    size_t size;
    size_t used;
    bool full; /* something did not fit or cannot be encoded: the whole is worthless */
};

/* Opens an object that has a length; give what it returns to aml_end. `name` is a NameString of one or more NameSegs.
 */
size_t aml_scope(struct aml *aml, const char *name);
size_t aml_device(struct aml *aml, const char *name);
size_t aml_package(struct aml *aml, uint8_t elements);
void aml_end(struct aml *aml, size_t object);

/* Name (name, ...): the data object follows. `name` has four characters. */
void aml_name(struct aml *aml, const char *name);

/* Data objects. */
void aml_integer(struct aml *aml, uint32_t value);
void aml_eisa_id(struct aml *aml, const char *id); /* "PNP0501": three letters, four hexadecimal digits */

/* A buffer with a resource template, opened and closed, and what goes into it. */
size_t aml_resources(struct aml *aml);
void aml_io(struct aml *aml, uint16_t port, uint8_t count);
void aml_irq(struct aml *aml, uint8_t irq); /* edge-triggered, active high, 0 to 15 */
void aml_resources_end(struct aml *aml, size_t object);
