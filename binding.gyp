# For tools that only know node-gyp, such as electron-rebuild: hands over to cmake-js. The build itself is CMakeLists.txt; CAE_LIBTORCH names the
# libtorch folder. It never runs by itself ("gypfile": false in package.json) and is not published.
{
  'targets': [
    {
      'target_name': 'cae_torch',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake-js',
          'inputs': ['CMakeLists.txt'],
          'outputs': ['build/native/cae_torch.node'],
          'action': [
            'npx', '--no-install', 'cmake-js', 'build', '--out', 'build/native',
            '--CDCMAKE_LIBRARY_OUTPUT_DIRECTORY=<(module_root_dir)/build/native'
          ]
        }
      ]
    }
  ]
}
