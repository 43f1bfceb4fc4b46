/* properties.c: table 3. A property is its file in properties/ and one line in each list here. */
#include "fuzz/properties.h"

#include <string.h>

extern const hy_property hy_conform_property, hy_trace_file_property, hy_canary_property;

static const hy_property *const properties[] = {
    &hy_conform_property,
    &hy_trace_file_property,
    &hy_canary_property,
};

const hy_property *const *hy_properties(size_t *count) {
    *count = sizeof properties / sizeof properties[0];
    return properties;
}

const hy_property *hy_property_find(const char *name) {
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (strcmp(properties[i]->name, name) == 0) return properties[i];
    }
    return NULL;
}
