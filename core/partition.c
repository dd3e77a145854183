#include "core/partition.h"

struct partition_table partition_table;

struct partition *partition_find(struct slice name)
{
    for (uint32_t i = 0; i < partition_table.count; i++)
        if (slice_equals(name, partition_name(&partition_table.partitions[i])))
            return &partition_table.partitions[i];
    return NULL;
}
