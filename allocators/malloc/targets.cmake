# libheapyard-malloc: the malloc family over smp, shared and static. Both have a copy of smp of their own, hidden
# from the program, which may use libheapyard beside it: two heaps that know nothing of each other.
file(GLOB malloc_smp_sources CONFIGURE_DEPENDS strategies/smp*.c)
list(FILTER malloc_smp_sources EXCLUDE REGEX "_(test|row|audit)\\.c$")
set(malloc_sources
  malloc/aligned.c malloc/heap.c malloc/information.c malloc/malloc.c malloc/options.c
  ${malloc_smp_sources}
  core/line_sink.c core/lock.c core/misuse.c core/os_linux.c core/page_size.c core/thread_slot.c)

# No frame pointers: their set-up would be a quarter of the fast paths. What is not static is hidden here, since
# smp's own headers would show it, and named so that a program may be linked to libheapyard.a as well.
add_library(hy_malloc_options INTERFACE)
target_compile_options(hy_malloc_options INTERFACE
  -O2 -fPIC -fvisibility=hidden -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-free -fno-strict-aliasing
  -fomit-frame-pointer -fno-stack-protector -ftls-model=initial-exec -ffunction-sections -fdata-sections
  -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${HY_WERROR}>:-Werror>
  $<$<COMPILE_LANGUAGE:C>:-Wconversion -Wstrict-prototypes -Wmissing-prototypes>
  "$<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-attribute-alias;-Wno-missing-attributes>"
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti -faligned-new>)
target_compile_definitions(hy_malloc_options INTERFACE
  _GNU_SOURCE HY_CHECK=$<IF:$<BOOL:$<TARGET_PROPERTY:HY_CHECK_LEVEL>>,$<TARGET_PROPERTY:HY_CHECK_LEVEL>,${HY_CHECK_LEVEL}> HY_VALGRIND=0 HY_API=__attribute__\(\(visibility\("hidden"\)\)\)
  hy_smp_own_cache=hy_malloc_own_cache)
target_include_directories(hy_malloc_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)

# What the fuzz yard loads beside whatever malloc its process has, under sanitizers too: small, so
# that short histories reach every path, and at check level 1: at level 2 no thread's cache is seen by the inline
# paths, which are most of what programs run. No sanitizer looks into it, and none may: its blocks are not theirs.
if(HY_YARD)
  add_library(heapyard_malloc_small MODULE ${malloc_sources} malloc/operators.cc)
  target_compile_definitions(heapyard_malloc_small PRIVATE HY_SMP_SMALL=1 HY_MALLOC_WEAK_RUNTIME)
  target_link_libraries(heapyard_malloc_small PRIVATE hy_malloc_options)
  target_link_options(heapyard_malloc_small PRIVATE
    -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/malloc/malloc.map -Wl,-Bsymbolic -Wl,-z,now)
  set_target_properties(heapyard_malloc_small PROPERTIES LINKER_LANGUAGE C EXCLUDE_FROM_ALL ON HY_CHECK_LEVEL 1)
  if(HY_PROFILE)
    target_compile_options(heapyard_malloc_small PRIVATE ${HY_PROFILE_OPTIONS})
    target_link_options(heapyard_malloc_small PRIVATE -fprofile-instr-generate)
  endif()
endif()

if(HY_SANITIZE OR HY_COVERAGE)
  message(STATUS "libheapyard-malloc and its tests: left out of builds with sanitizers, which bring a malloc, and of coverage builds")
  return()
endif()

add_library(hy_malloc_objects OBJECT ${malloc_sources})
target_link_libraries(hy_malloc_objects PRIVATE hy_malloc_options)

# The linker language is C: libstdc++ must not come along.
add_library(heapyard_malloc SHARED $<TARGET_OBJECTS:hy_malloc_objects> malloc/operators.cc)
target_compile_definitions(heapyard_malloc PRIVATE HY_MALLOC_WEAK_RUNTIME)
target_link_libraries(heapyard_malloc PRIVATE $<BUILD_INTERFACE:hy_malloc_options>)
target_link_options(heapyard_malloc PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/malloc/malloc.map
  -Wl,-Bsymbolic -Wl,--gc-sections -Wl,-z,now -Wl,-z,nodelete -Wl,-z,relro)
set_property(TARGET heapyard_malloc PROPERTY LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/malloc/malloc.map)
set_target_properties(heapyard_malloc PROPERTIES OUTPUT_NAME heapyard-malloc LINKER_LANGUAGE C EXPORT_NAME malloc_shared)

# What programs link: a program may call malloc through its libraries alone, and linkers leave out what a program
# itself does not refer to.
add_library(heapyard_malloc_needed INTERFACE)
target_link_libraries(heapyard_malloc_needed INTERFACE
  -Wl,--push-state,--no-as-needed heapyard_malloc -Wl,--pop-state)
set_target_properties(heapyard_malloc_needed PROPERTIES EXPORT_NAME malloc)

# The static form is two objects: the C part with everything in it, so that a program gets all of the family or
# nothing, and the operators, which only C++ programs get. What is not the family's is made local to them, but
# for the names that the two share.
file(STRINGS malloc/malloc.map malloc_names REGEX "^    [_a-zA-Z]+.*;")
string(REGEX MATCHALL "[A-Za-z0-9_*]+" malloc_names "${malloc_names}")
list(JOIN malloc_names "\n" malloc_names)
set(malloc_kept ${CMAKE_CURRENT_BINARY_DIR}/malloc_kept.txt)
file(CONFIGURE OUTPUT ${malloc_kept} CONTENT "${malloc_names}\nhy_malloc_*\n")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS malloc/malloc.map)
set(malloc_object ${CMAKE_CURRENT_BINARY_DIR}/malloc.o)
add_custom_command(OUTPUT ${malloc_object}
  COMMAND ${CMAKE_LINKER} -r $<TARGET_OBJECTS:hy_malloc_objects> -o ${malloc_object}
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbols=${malloc_kept} ${malloc_object}
  DEPENDS $<TARGET_OBJECTS:hy_malloc_objects> ${malloc_kept} COMMAND_EXPAND_LISTS VERBATIM)
add_library(hy_malloc_operators OBJECT malloc/operators.cc)
target_link_libraries(hy_malloc_operators PRIVATE hy_malloc_options)
add_library(heapyard_malloc_static STATIC ${malloc_object} $<TARGET_OBJECTS:hy_malloc_operators>)
target_link_libraries(heapyard_malloc_static INTERFACE Threads::Threads)
target_link_options(heapyard_malloc_static INTERFACE -Wl,--undefined=malloc)
set_target_properties(heapyard_malloc_static PROPERTIES OUTPUT_NAME heapyard-malloc LINKER_LANGUAGE C EXPORT_NAME malloc_static)
