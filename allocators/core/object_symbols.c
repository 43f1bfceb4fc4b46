/* object_symbols.c: asks the dynamic linker what lies at an address.
 *
 * For the object, through the call that exception handling uses, which takes no lock (glibc 2.35 and later):
 * a report must not wait for a thread that is in dlopen and waits for the allocator that reports. Elsewhere,
 * and for functions where libdw is not there (source_lines.c), dladdr has to do.
 */
#include "allocators/core/object_symbols.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

/* The program is named by its file; the linker gives it no name, or its first argument. */
static void name_program(hy_object *object) {
    object->path = "/proc/self/exe";
    ssize_t length = readlink(object->path, object->program, sizeof object->program - 1);
    object->program[length > 0 ? length : 0] = '\0';
    object->name = object->program;
}

#if defined(DLFO_STRUCT_HAS_EH_DBASE)
bool hy_object_of(uintptr_t address, hy_object *object) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) != 0) return false;
    object->base = found.dlfo_link_map->l_addr;
    object->name = object->path = found.dlfo_link_map->l_name;
    if (object->name[0] == '\0') name_program(object);
    return true;
}
#else
bool hy_object_of(uintptr_t address, hy_object *object) {
    Dl_info info, program;
    if (!dladdr((void *)address, &info) || !info.dli_fname) return false;
    object->base = (uintptr_t)info.dli_fbase;
    object->name = object->path = info.dli_fname;
    bool is_program = dladdr((void *)getauxval(AT_PHDR), &program) && program.dli_fbase == info.dli_fbase;
    if (is_program) name_program(object);
    return true;
}
#endif

bool hy_object_symbol(uintptr_t address, hy_symbol *symbol) {
    Dl_info info;
    if (!dladdr((void *)address, &info) || !info.dli_sname) return false;
    *symbol = (hy_symbol){info.dli_sname, (uintptr_t)info.dli_saddr};
    return true;
}

#else

bool hy_object_of(uintptr_t address, hy_object *object) {
    (void)address, (void)object;
    return false;
}

bool hy_object_symbol(uintptr_t address, hy_symbol *symbol) {
    (void)address, (void)symbol;
    return false;
}

#endif
