# Whether stack traces name every function, and file and line: by libdw, which core/source_lines.c refers to
# weakly, so that the library needs it nowhere. What is built here on top of the library is linked to it; so
# is the shared library; whoever links the static one decides for himself. Benches (check level 0) print no
# stacks and do without.
if(NOT HY_SYMBOLS MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "HY_SYMBOLS is ${HY_SYMBOLS}, must be AUTO, ON or OFF")
endif()
set(HY_HAS_SYMBOLS OFF)
if(HY_SYMBOLS STREQUAL "ON" OR (HY_SYMBOLS STREQUAL "AUTO" AND HY_CHECK_LEVEL GREATER 0))
  pkg_check_modules(LIBDW QUIET IMPORTED_TARGET libdw)
  if(LIBDW_FOUND)
    set(HY_HAS_SYMBOLS ON)
    message(STATUS "stack traces: function, file and line (libdw ${LIBDW_VERSION})")
  elseif(HY_SYMBOLS STREQUAL "ON")
    message(FATAL_ERROR "HY_SYMBOLS is ON and libdw is not here: install libdw-dev")
  else()
    message(STATUS "stack traces: exported functions; the others, file and line are not in this build: install libdw-dev")
  endif()
endif()

if(HY_HAS_SYMBOLS)
  # A weak reference alone does not keep a library where the linker drops what nobody needs.
  add_library(hy_symbols INTERFACE)
  target_link_libraries(hy_symbols INTERFACE -Wl,--push-state,--no-as-needed PkgConfig::LIBDW -Wl,--pop-state)
  target_compile_definitions(heapyard PRIVATE HY_SYMBOLS=1)
  target_include_directories(heapyard PRIVATE ${LIBDW_INCLUDE_DIRS})
  target_link_libraries(heapyard INTERFACE $<BUILD_INTERFACE:hy_symbols>)
  set(HY_PRIVATE_LIBRARIES -ldw) # for pkg-config --static
endif()
