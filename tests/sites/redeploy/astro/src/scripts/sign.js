document.querySelector('h1').textContent = 'other of BUILD';
