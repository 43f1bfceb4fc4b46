# What others get: the headers, the library in both forms, and the two files by which builds find it.
# Before 1.0 layouts may change with a minor version, so the soname carries it.
include(CMakePackageConfigHelpers)

if(NOT HY_SANITIZE AND NOT HY_COVERAGE)
  add_library(heapyard_shared SHARED $<TARGET_OBJECTS:heapyard>)
  target_link_libraries(heapyard_shared PRIVATE $<BUILD_INTERFACE:hy_options> PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
  if(HY_HAS_SYMBOLS)
    target_link_libraries(heapyard_shared PRIVATE $<BUILD_INTERFACE:hy_symbols>)
  endif()
  target_include_directories(heapyard_shared PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(heapyard_shared PROPERTIES
    OUTPUT_NAME heapyard VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  install(TARGETS heapyard_shared EXPORT heapyard LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

install(TARGETS heapyard EXPORT heapyard ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/heapyard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heapyard)
install(EXPORT heapyard FILE heapyard-targets.cmake NAMESPACE heapyard:: DESTINATION ${package_folder})
configure_package_config_file(heapyard-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/heapyard-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/heapyard-config-version.cmake
  DESTINATION ${package_folder})

configure_file(heapyard.pc.in ${CMAKE_CURRENT_BINARY_DIR}/heapyard.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heapyard.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
