# heapyard_add_plugin(<target> <sources…>): a shared library of rows, as heapyard's benches, fuzzers and gate
# load it (<heapyard/plugin.h>).
#
# It has a copy of the library of its own and shows nothing but heapyard_plugin, so that two builds of one
# allocator stand side by side in a process without answering each other's calls.
set(heapyard_plugin_map ${CMAKE_CURRENT_LIST_DIR}/heapyard-plugin.map)
function(heapyard_add_plugin target)
  add_library(${target} MODULE ${ARGN})
  target_link_libraries(${target} PRIVATE heapyard::plugin)
  target_link_options(${target} PRIVATE -Wl,--version-script=${heapyard_plugin_map})
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
endfunction()
