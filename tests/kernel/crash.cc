// Task core, which crashes: the kernel says where, and the machine ends with status 139.
namespace {

[[gnu::noinline]] int read_from(const volatile int* place) { return *place; }

}  // namespace

int main(int argc, char**) { return read_from(argc == 1 ? nullptr : &argc); }
