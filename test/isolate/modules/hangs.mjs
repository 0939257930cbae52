// A module that never has loaded.
for (;;);
