#include "ui/cli/command.h"

int main(int argc, char** argv) { return gpuplan::cli::main_of(argc, argv); }
