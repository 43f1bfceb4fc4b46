# What others get: the headers, the library in both forms, and the two files by which builds find it.
# Before 1.0 layouts may change with a minor version, so the soname carries it.
include(CMakePackageConfigHelpers)

if(NOT HY_SANITIZE AND NOT HY_COVERAGE)
  add_library(heapyard_shared SHARED $<TARGET_OBJECTS:heapyard> shared_object.c)
  target_link_libraries(heapyard_shared PRIVATE $<BUILD_INTERFACE:hy_options> PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
  if(HY_HAS_SYMBOLS)
    target_link_libraries(heapyard_shared PRIVATE $<BUILD_INTERFACE:hy_symbols>)
  endif()
  target_include_directories(heapyard_shared PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(heapyard_shared PROPERTIES
    OUTPUT_NAME heapyard VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  # What is hidden and nobody calls, the checks of the yards' rows among it, is left out.
  target_link_options(heapyard_shared PRIVATE
    -Wl,--gc-sections -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/heapyard.map)
  set_property(TARGET heapyard_shared APPEND PROPERTY LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/heapyard.map)
  install(TARGETS heapyard_shared EXPORT heapyard LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

if(TARGET heapyard_malloc)
  install(TARGETS heapyard_malloc heapyard_malloc_needed heapyard_malloc_static EXPORT heapyard
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# The conformance suite, for the tests of allocators from elsewhere: with our rows, because a row may stand on
# any of them.
add_library(heapyard_conformance STATIC $<TARGET_OBJECTS:heapyard_rows>
  conformance/blocks.c conformance/checks.c conformance/conformance.c)
target_link_libraries(heapyard_conformance PRIVATE $<BUILD_INTERFACE:hy_options> PUBLIC heapyard_plugin_headers)
target_include_directories(heapyard_conformance PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/conformance/include>)
set_target_properties(heapyard_conformance PROPERTIES C_VISIBILITY_PRESET hidden EXPORT_NAME conformance)

install(TARGETS heapyard heapyard_plugin_headers heapyard_conformance EXPORT heapyard ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/heapyard plugin/include/heapyard conformance/include/heapyard
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heapyard)
install(EXPORT heapyard FILE heapyard-targets.cmake NAMESPACE heapyard:: DESTINATION ${package_folder})
configure_package_config_file(heapyard-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/heapyard-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config-version.cmake heapyard-plugin.cmake heapyard-plugin.map
  DESTINATION ${package_folder})

# The pkg-config files find their prefix from where they lie, so that an installation can be moved.
set(pc_folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH to_include ${pc_folder} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(HY_PC_LIBDIR "\${pcfiledir}/..")
set(HY_PC_INCLUDEDIR "\${pcfiledir}/${to_include}")
set(HY_PC_DL ${CMAKE_DL_LIBS})
list(TRANSFORM HY_PC_DL PREPEND "-l")
set(pc_names heapyard heapyard-plugin heapyard-conformance)
if(TARGET heapyard_malloc)
  list(APPEND pc_names heapyard-malloc)
endif()
foreach(name IN LISTS pc_names)
  configure_file(${name}.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
