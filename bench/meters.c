/* meters.c: the meters, from the list in meters.def. */
#include "bench/meters.h"
#include <string.h>

#define HY_METER(name) extern const hy_meter hy_##name##_meter;
#include "bench/meters.def"
#undef HY_METER

static const hy_meter *const meters[] = {
#define HY_METER(name) &hy_##name##_meter,
#include "bench/meters.def"
#undef HY_METER
};

const hy_meter *const *hy_meters(size_t *count) {
    *count = sizeof meters / sizeof meters[0];
    return meters;
}

const hy_meter *hy_meter_find(const char *name) {
    for (size_t i = 0; i < sizeof meters / sizeof meters[0]; i++) {
        if (strcmp(meters[i]->name, name) == 0) return meters[i];
    }
    return NULL;
}
