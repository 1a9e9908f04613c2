#include "eval/builtins/support.h"
#include "eval/stdlib/modules.h"

namespace portwright::eval {

void install_standard_library(Interpreter& interp) {
  // Exceptions first: everything else may raise them.
  install_exceptions(interp);
  install_object_methods(interp);
  install_container_protocols(interp);
  install_aliases(interp);
  install_sequence_functions(interp);
  install_number_functions(interp);
  install_number_classes(interp);
  install_reflection(interp);
  install_descriptors(interp);
  install_str(interp);
  install_str_searching(interp);
  install_bytes(interp);
  install_list(interp);
  install_dict(interp);
  install_dict_views(interp);
  install_set(interp);
  register_modules(interp);
}

}  // namespace portwright::eval
