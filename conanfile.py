from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout


class Handrail(ConanFile):
    name = "handrail"
    version = "0.2.0"
    license = "Apache-2.0"
    description = "Gradient descent with a handrail: a small autograd framework with safe-training defaults"
    topics = ("autograd", "deep-learning", "training")
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "openmp": [True, False], "f64": [True, False]}
    default_options = {"shared": False, "fPIC": True, "openmp": True, "f64": False}
    exports_sources = "CMakeLists.txt", "LICENSE", "README.md", "CHANGELOG.md", "docs/*", "cmake/*", "core/*", "nn/*", "optim/*", "train/*"

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)
        self.requires("zlib/[>=1.2.11 <2]")
        self.requires("cereal/1.3.2", visible=False)
        self.requires("nlohmann_json/[>=3.11 <4]", visible=False)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["HANDRAIL_TESTS"] = False
        toolchain.cache_variables["HANDRAIL_EXAMPLES"] = False
        toolchain.cache_variables["HANDRAIL_F64"] = bool(self.options.f64)
        toolchain.cache_variables["HANDRAIL_OPENMP"] = bool(self.options.openmp)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # The installed package configuration finds Eigen, zlib and OpenMP itself.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/handrail"]
