# Each public header can be included alone, from C and from C++: one translation unit for each, compiled and
# not linked, without any of our own definitions.
file(GLOB public_headers CONFIGURE_DEPENDS
  include/heapyard/*.h plugin/include/heapyard/*.h conformance/include/heapyard/*.h)
foreach(header IN LISTS public_headers)
  get_filename_component(noun ${header} NAME_WE)
  foreach(language c cc)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/headers/${noun}.${language})
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include <heapyard/${noun}.h>\n#include <heapyard/${noun}.h>\n" @ONLY)
    list(APPEND header_units ${unit})
  endforeach()
endforeach()
add_library(heapyard_headers OBJECT ${header_units})
target_include_directories(heapyard_headers PRIVATE include plugin/include conformance/include)
target_compile_options(heapyard_headers PRIVATE -Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:C>:-Wconversion>
  $<$<BOOL:${HY_WERROR}>:-Werror>)
