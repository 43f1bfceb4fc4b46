/* properties.c: table 3. A property is its file in properties/ and one line in properties.def. */
#include "fuzz/properties.h"

#include <string.h>

#define HY_PROPERTY(name) extern const hy_property hy_##name##_property;
#include "fuzz/properties.def"
#undef HY_PROPERTY

static const hy_property *const properties[] = {
#define HY_PROPERTY(name) &hy_##name##_property,
#include "fuzz/properties.def"
#undef HY_PROPERTY
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
