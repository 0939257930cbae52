// A module that does not load.
throw new SyntaxError('half a module')
